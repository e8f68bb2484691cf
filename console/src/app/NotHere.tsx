import { Button } from "@mantine/core";
import { IconMapOff } from "@tabler/icons-react";
import { Link } from "wouter";
import { Empty } from "../parts/Empty";
import { Page } from "../parts/Page";

export function NotHere() {
  return (
    <Page title="There is no such page">
      <Empty
        icon={IconMapOff}
        title="The address may be mistyped"
        action={
          <Button component={Link} href="/">
            Go home
          </Button>
        }
      >
        Or what it named has another name now. Ctrl K finds everything by name.
      </Empty>
    </Page>
  );
}
