/** The whole document: as text, what of it is not saved yet, and every revision there was. */
import { SegmentedControl } from "@mantine/core";
import { useLocation, useSearch } from "wouter";
import { ConflictBanner } from "../../draft/ConflictBanner";
import { isDirty, openDraft, useDraft } from "../../draft/draft";
import { DraftBar } from "../../draft/DraftBar";
import { TextPane } from "../../draft/editor/TextPane";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Loading } from "../../parts/Loading";
import { Changes } from "./Changes";
import classes from "./document.module.css";
import { Revisions } from "./Revisions";

type View = "text" | "changes" | "revisions";

const WAYS: Record<View, { cli: string; api: string }> = {
  text: { cli: "holdfast export > env.yaml; holdfast apply env.yaml", api: "PUT /api/v1/environment" },
  changes: { cli: "holdfast plan env.yaml", api: "POST /api/v1/environment/plan" },
  revisions: { cli: "holdfast export > env.yaml", api: "GET /api/v1/environment/revisions/1" },
};

export default function DocumentScreen() {
  const draft = useDraft();
  const params = new URLSearchParams(useSearch());
  const [, go] = useLocation();
  const asked = params.get("view") ?? "text";
  const view: View = Object.hasOwn(WAYS, asked) ? (asked as View) : "text";
  const isUnsaved = isDirty(draft);
  return (
    <Page
      title="Document"
      lead="Everything Holdfast is to do, as one text. Drawings, lists and policies are other views of it."
      actions={<DraftBar />}
      {...WAYS[view]}
    >
      <ConflictBanner />
      <SegmentedControl
        aria-label="What to see of the document"
        value={view}
        onChange={(next) => go(next === "text" ? "/document" : `/document?view=${next}`)}
        data={[
          { value: "text", label: "Text" },
          { value: "changes", label: isUnsaved ? "Not saved yet •" : "Not saved yet" },
          { value: "revisions", label: "Revisions" },
        ]}
        maw={420}
      />
      {draft.phase === "loading" && <Loading />}
      {draft.phase === "failed" && <Problem error={draft.error} onRetry={() => void openDraft()} />}
      {draft.phase === "ready" && (
        <>
          {view === "text" && (
            <div className={classes.text}>
              <TextPane />
            </div>
          )}
          {view === "changes" && <Changes />}
          {view === "revisions" && <Revisions />}
        </>
      )}
    </Page>
  );
}
