/** One flow: the same document as drawing, list and text, compiled, activated and watched. */
import { Center, Title } from "@mantine/core";
import { IconAffiliate } from "@tabler/icons-react";
import { Suspense, useEffect } from "react";
import { Link } from "wouter";
import { type Screen, screen } from "../../app/later";
import { to } from "../../app/places";
import { ConflictBanner } from "../../draft/ConflictBanner";
import { DraftBar } from "../../draft/DraftBar";
import { openDraft, useDraft } from "../../draft/draft";
import { mappingAt } from "../../draft/edits";
import { useLive } from "../../live/store";
import { Empty } from "../../parts/Empty";
import { Equivalent } from "../../parts/Equivalent";
import { shellWord, visible } from "../../parts/format";
import { NotThere } from "../../parts/NotThere";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Loading } from "../../parts/Loading";
import classes from "./FlowScreen.module.css";
import { FlowState } from "./FlowState";
import { FlowTools } from "./FlowTools";

type ViewName = "draw" | "list" | "yaml" | "compile" | "monitor";

interface View {
  title: string;
  component: Screen<{ flow: string }>;
  cli: (flow: string) => string;
  api: (flow: string) => string;
}

const apply = () => "holdfast export > env.yaml; holdfast apply env.yaml";
const edit = () => "POST /api/v1/environment/edit";

const VIEWS: Record<ViewName, View> = {
  draw: { title: "Draw", component: screen(() => import("./DrawView")), cli: apply, api: edit },
  list: { title: "List", component: screen(() => import("./ListView")), cli: apply, api: edit },
  yaml: { title: "YAML", component: screen(() => import("./YamlView")), cli: apply, api: () => "PUT /api/v1/environment" },
  compile: {
    title: "Compile",
    component: screen(() => import("./CompileView")),
    cli: (flow) => `holdfast compile ${flow}; holdfast activate ${flow}`,
    api: (flow) => `POST /api/v1/flows/${flow}/activate`,
  },
  monitor: {
    title: "Monitor",
    component: screen(() => import("./MonitorView")),
    cli: (flow) => `holdfast monitor ${flow}; holdfast trigger ${flow}`,
    api: (flow) => `GET /api/v1/flows/${flow}/monitor`,
  },
};

export default function FlowScreen({ name, view }: { name: string; view: string }) {
  const draft = useDraft();
  const isKnown = useLive((live) => live.flows.some((flow) => flow.name === name));
  const isDrawn = Object.hasOwn(mappingAt(draft.values, ["flows"]), name);
  const current: ViewName = Object.hasOwn(VIEWS, view) ? (view as ViewName) : "draw";
  const { component: Shown, title, cli, api } = VIEWS[current];
  // While the document is on its way, not behind it; that it does not come is told by what is drawn then.
  useEffect(() => void Shown.load().catch(() => undefined), [Shown]);
  useEffect(() => {
    document.title = `${name}: ${title} · Holdfast`;
  }, [name, title]);

  if (draft.phase === "loading") return <Loading height="50vh" />;
  if (draft.phase === "failed")
    return (
      <Center p="xl">
        <Problem error={draft.error} onRetry={() => void openDraft()} />
      </Center>
    );
  if (!isDrawn && !isKnown) return <NoFlow name={name} />;
  return (
    <div className={classes.screen}>
      <div className={classes.bar}>
        <Title order={1} size="h3" className={classes.title} title={visible(name)}>
          {visible(name)}
        </Title>
        <FlowState flow={name} />
        <nav className={classes.tabs} aria-label="Views of the flow">
          {(Object.keys(VIEWS) as ViewName[]).map((each) => (
            <Link key={each} href={to.flow(name, each)} className={classes.tab} aria-current={each === current ? "page" : undefined}>
              {VIEWS[each].title}
            </Link>
          ))}
        </nav>
        <FlowTools flow={name} isDrawn={isDrawn} isCompile={current === "compile"} />
      </div>
      <ConflictBanner />
      <div className={classes.view} data-scrolls={current === "draw" ? undefined : true}>
        <Suspense fallback={<Loading height="50vh" />}>
          {isDrawn || current === "monitor" || current === "compile" ? <Shown key={name} flow={name} /> : <Undrawn />}
        </Suspense>
      </div>
      <div className={classes.equivalent}>
        <Equivalent cli={cli(shellWord(name))} api={api(encodeURIComponent(name))} />
      </div>
    </div>
  );
}

function Undrawn() {
  return (
    <Empty icon={IconAffiliate} title="Out of the document, still in force">
      Its drawing is no longer in the document, but the nodes still follow its rules. Watch it under Monitor, or take it out of force: Deactivate, in
      the menu above. Undo brings back what you removed yourself.
    </Empty>
  );
}

function NoFlow({ name }: { name: string }) {
  return (
    <Page title={visible(name)} actions={<DraftBar />} cli="holdfast status" api="GET /api/v1/flows">
      <NotThere icon={IconAffiliate} title="There is no such flow" href="/flows" see="See all flows">
        It may have another name now, or somebody removed it. Undo brings back what you removed yourself.
      </NotThere>
    </Page>
  );
}
