/** The acts on a flow as a whole. */
import { Button } from "@mantine/core";
import { Link } from "wouter";
import { to } from "../../app/places";
import { DraftBar } from "../../draft/DraftBar";
import classes from "./FlowScreen.module.css";

export function FlowTools({ flow }: { flow: string; isDrawn: boolean }) {
  return (
    <div className={classes.tools}>
      <DraftBar />
      <Button component={Link} href={to.flow(flow, "compile")} variant="light">
        Compile and activate
      </Button>
    </div>
  );
}
