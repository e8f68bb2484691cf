/** The acts on a flow as a whole. */
import { Button } from "@mantine/core";
import { Link } from "wouter";
import { to } from "../../app/places";
import { DraftBar } from "../../draft/DraftBar";
import { FlowMenu } from "./FlowMenu";
import classes from "./FlowScreen.module.css";

export function FlowTools({ flow, isDrawn }: { flow: string; isDrawn: boolean }) {
  return (
    <div className={classes.tools}>
      <DraftBar />
      <Button component={Link} href={to.flow(flow, "compile")} variant="light">
        Compile and activate
      </Button>
      <FlowMenu flow={flow} isDrawn={isDrawn} />
    </div>
  );
}
