/** Whether the flow can be activated, what that means, and the button that does it. */
import { Button, Group, Text } from "@mantine/core";
import { IconBolt } from "@tabler/icons-react";
import { Link } from "wouter";
import { to } from "../../../app/places";
import { Card } from "../../../parts/Card";
import { counted, visible } from "../../../parts/format";
import { State, type StateName } from "../../../parts/State";
import type { CompileReport } from "../useCompile";
import classes from "./compile.module.css";

interface VerdictProps {
  report: CompileReport;
  /** Something is not saved yet. */
  isDirty: boolean;
  /** The report is of an earlier text. */
  isOld: boolean;
  isRunning: boolean;
  isActive: boolean;
  onActivate: () => void;
}

export function Verdict({ report, isDirty, isOld, isRunning, isActive, onActivate }: VerdictProps) {
  const nodes = report.changes.length;
  const isAsItIs = report.valid && nodes === 0 && isActive && !isDirty;
  const [state, title] = verdictOf(report, isOld, isAsItIs);
  return (
    <Card>
      <div className={classes.verdict}>
        <div className={classes.words} role="status">
          <span className={classes.large}>
            <State state={state} label={title} />
          </span>
          <Text size="sm">{report.valid ? consequence(nodes, isActive) : "Nothing is changed on any node while there are errors."}</Text>
          {report.reactivated.length > 0 && (
            <Text size="sm">
              They share what has changed, so these flows are activated again with it:{" "}
              {report.reactivated.map((name, index) => (
                <span key={name}>
                  {index > 0 && ", "}
                  <Link href={to.flow(name)}>{visible(name)}</Link>
                </span>
              ))}
              .
            </Text>
          )}
        </div>
        <Group gap="xs">
          <Button
            leftSection={<IconBolt size={16} aria-hidden />}
            disabled={!report.valid || isOld}
            loading={isRunning}
            onClick={onActivate}
            variant={isAsItIs ? "default" : "filled"}
          >
            {isDirty ? "Save and activate" : "Activate"}
          </Button>
        </Group>
      </div>
    </Card>
  );
}

function verdictOf(report: CompileReport, isOld: boolean, isAsItIs: boolean): [StateName, string] {
  if (isOld) return ["running", "Compiling what you changed"];
  const count = (level: string) => report.diagnostics.filter((each) => each.level === level).length;
  if (!report.valid) return ["failed", `Cannot be activated: ${counted(Math.max(1, count("error")), "error")}`];
  const warnings = count("warning");
  if (isAsItIs) return warnings > 0 ? ["warning", `Active, with ${counted(warnings, "warning")}`] : ["ok", "Active"];
  return warnings > 0 ? ["warning", `Can be activated, with ${counted(warnings, "warning")}`] : ["ok", "Can be activated"];
}

function consequence(nodes: number, isActive: boolean): string {
  if (nodes > 0) return `Activating changes the rules of ${counted(nodes, "node")}. No stored data is touched.`;
  return isActive ? "It is active as it stands: no node's rules would change." : "No node's rules would change.";
}
