/** Settings: what waits for a second person, who there is, what they may, and with what they come in. */
import { Tabs } from "@mantine/core";
import type { ComponentType } from "react";
import { useLocation } from "wouter";
import { type Activity, useMay } from "../../api/rights";
import { Page } from "../../parts/Page";
import { Approvals } from "./Approvals";
import { Directories } from "./Directories";
import { Roles } from "./Roles";
import { Sessions } from "./Sessions";
import { Tokens } from "./Tokens";
import { Users } from "./Users";

interface Tab {
  name: string;
  title: string;
  lead: string;
  cli: string;
  api: string;
  activity?: Activity;
  part: ComponentType;
}

const TABS: readonly Tab[] = [
  { name: "approvals", title: "Approvals", lead: "Acts that take something away can wait until a second person lets them through.", cli: "holdfast approvals ls", api: "GET /api/v1/approvals", part: Approvals },
  { name: "users", title: "Users", lead: "Who can sign in, and what each may do.", cli: "holdfast user ls", api: "GET /api/v1/users", activity: "access.read", part: Users },
  { name: "roles", title: "Roles", lead: "A role is a name for some activities. A grant gives a user a role on a group of resources, or on everything.", cli: "holdfast role ls", api: "GET /api/v1/roles", activity: "access.read", part: Roles },
  { name: "directories", title: "Directories", lead: "OpenID providers and LDAP servers by which people sign in, beside local accounts. They are in the Master's configuration.", cli: "holdfast directory ls", api: "GET /api/v1/directories", activity: "access.read", part: Directories },
  { name: "tokens", title: "Tokens", lead: "With what scripts and the command line come in.", cli: "holdfast token ls", api: "GET /api/v1/tokens", part: Tokens },
  { name: "sessions", title: "Sessions", lead: "The browsers that are signed in.", cli: "holdfast session ls", api: "GET /api/v1/sessions", part: Sessions },
];

export default function Settings({ tab }: { tab: string }) {
  const [, go] = useLocation();
  const may = useMay();
  const tabs = TABS.filter((each) => !each.activity || may(each.activity));
  const shown = tabs.find((each) => each.name === tab) ?? tabs[0];
  if (!shown) return null;
  return (
    <Page title="Settings" lead={shown.lead} cli={shown.cli} api={shown.api}>
      <Tabs value={shown.name} onChange={(name) => go(`/settings/${name ?? ""}`)} keepMounted={false}>
        <Tabs.List mb="md">
          {tabs.map((each) => (
            <Tabs.Tab key={each.name} value={each.name}>
              {each.title}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {tabs.map((each) => (
          <Tabs.Panel key={each.name} value={each.name}>
            <each.part />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  );
}
