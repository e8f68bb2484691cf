/** The machine examines itself: can it do what its rules ask, and what is in the way? */
import { Button, Text } from "@mantine/core";
import { IconStethoscope } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import type { Node } from "../../live/store";
import { Card } from "../../parts/Card";
import { shellWord, visible } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import classes from "./Nodes.module.css";

const ORDER = ["error", "warning", "info"];
const WORDS: Record<string, string> = { error: "Error", warning: "Warning", info: "All right" };

export function Examine({ node }: { node: Node }) {
  const examined = useQuery({
    queryKey: ["doctor", node.name],
    queryFn: ({ signal }) => take(client.GET("/api/v1/nodes/{node}/doctor", { params: { path: { node: node.name } }, signal })),
    enabled: false,
    gcTime: 0,
  });
  const findings = [...(examined.data?.findings ?? [])].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
  return (
    <Card title="Examination">
      <Text size="sm">
        The machine looks at its clock, rights, disks and limits, and at whom it can reach. In a shell there: <code>holdfast node doctor {shellWord(node.name)}</code>
      </Text>
      <Button
        variant="default"
        mt="sm"
        leftSection={<IconStethoscope size={16} aria-hidden />}
        loading={examined.isFetching}
        onClick={() => void examined.refetch()}
      >
        Examine
      </Button>
      {examined.error && <Problem error={examined.error} onRetry={() => void examined.refetch()} />}
      {examined.data && (
        <dl className={classes.troubles} aria-label="What was found">
          {findings.map((each) => (
            <div key={`${each.code} ${each.message}`}>
              <dt>
                {WORDS[each.severity]}: {visible(each.message)}
              </dt>
              {each.hint && each.severity !== "info" && <dd>{visible(each.hint)}</dd>}
            </div>
          ))}
        </dl>
      )}
    </Card>
  );
}
