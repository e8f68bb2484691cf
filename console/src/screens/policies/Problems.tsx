/** What is worth a look about a policy and stands beside no field: of its own text, and of what the compiler makes of it in its flows. */
import { type Diagnostic, useDraft } from "../../draft/draft";
import { DiagnosticList } from "../../draft/DiagnosticList";
import { Card } from "../../parts/Card";
import { visible } from "../../parts/format";
import { useCompile } from "../flow/useCompile";
import { diagnosticsElsewhere } from "./diagnostics";
import { type Policy, usesOf } from "./policy";

/** Each is compiled anew with every change, so not all of a hundred. */
const MOST_FLOWS = 3;

export function Problems({ policy }: { policy: Policy }) {
  const { diagnostics, values } = useDraft();
  const path = ["policies", policy.name];
  const shown = [
    ...["classification", "hooks"].map((key) => [...path, key]),
    ...policy.operations.flatMap(({ name }) =>
      ["every", "at", "schedule", "after", "keep", "removed"].map((key) => [...path, "operations", name, key]),
    ),
  ];
  const others = diagnosticsElsewhere(diagnostics, path, shown);
  if (others.length > 0)
    return (
      <Card title="Worth a look">
        <DiagnosticList diagnostics={others} />
      </Card>
    );
  return usesOf(values, policy.name)
    .slice(0, MOST_FLOWS)
    .map(({ flow }) => <InFlow key={flow} flow={flow} policy={policy.name} />);
}

function InFlow({ flow, policy }: { flow: string; policy: string }) {
  const { diagnostics } = useDraft();
  const { data, isOld } = useCompile(flow);
  // What cannot be read is told beside its field; the compiler then says nothing new.
  const told = new Set(diagnostics.map(keyOf));
  const about = data && !isOld ? data.diagnostics.filter((each) => isAbout(each, policy) && !told.has(keyOf(each))) : [];
  if (about.length === 0) return null;
  return (
    <Card title={`Worth a look, in flow ${visible(flow)}`}>
      <DiagnosticList diagnostics={about} flow={flow} />
    </Card>
  );
}

const keyOf = ({ code, where, message }: Diagnostic): string => JSON.stringify([code, where.path, message]);

const isAbout = ({ where: { kind, name } }: Diagnostic, policy: string): boolean =>
  (kind === "policy" && name === policy) || (kind === "operation" && name.startsWith(`${policy}/`));
