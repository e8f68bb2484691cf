/** The acts on a flow as a whole. */
import { Button } from "@mantine/core";
import { Link } from "wouter";
import { to } from "../../app/places";
import { DraftBar } from "../../draft/DraftBar";
import { FlowMenu } from "./FlowMenu";
import classes from "./FlowScreen.module.css";

/** `isCompile`: the compile view is open; it has Activate of its own. */
export function FlowTools({ flow, isDrawn, isCompile }: { flow: string; isDrawn: boolean; isCompile: boolean }) {
  return (
    <div className={classes.tools}>
      <DraftBar />
      {!isCompile && (
        <Button component={Link} href={to.flow(flow, "compile")} variant="light">
          Compile and activate
        </Button>
      )}
      <FlowMenu flow={flow} isDrawn={isDrawn} />
    </div>
  );
}
