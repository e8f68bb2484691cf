/** What the document says of how long the points in this repository stay, for each dataset and operation that has points in it. */
import { List, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import { to } from "../../app/places";
import type { Values } from "../../draft/edits";
import { Card } from "../../parts/Card";
import { counted, visible } from "../../parts/format";
import { policyOf } from "../policies/policy";
import { keepWords } from "../policies/words";
import type { Point } from "./figures";

const MOST = 12;

export function KeepRules({ points }: { points: readonly Point[] }) {
  const document = useQuery({
    queryKey: [...keys.revisions, "document"],
    queryFn: ({ signal }) => take(client.GET("/api/v1/environment/document", { signal })),
  });
  const values = document.data?.values as Values | undefined;
  const made = [...new Map(points.filter((point) => !point.foreign).map((point) => [`${point.dataset} ${point.operation}`, point])).values()];
  const foreign = points.filter((point) => point.foreign).length;
  if (made.length === 0 && foreign === 0) return null;
  return (
    <Card title="What stays">
      <List size="sm" spacing={6} listStyleType="none">
        {made.slice(0, MOST).map(({ dataset, operation }) => (
          <List.Item key={`${dataset} ${operation}`}>
            <Rule dataset={dataset} operation={operation} values={values} />
          </List.Item>
        ))}
        {made.length > MOST && <List.Item>and {made.length - MOST} more</List.Item>}
        {foreign > 0 && <List.Item>{counted(foreign, "point")} of another program: Holdfast never changes or removes them</List.Item>}
      </List>
      <Text size="xs" c="dimmed" mt={6}>
        A locked point stays until its lock ends, the newest of a dataset stays always. The rules are those of the document; activation puts them in force.
      </Text>
    </Card>
  );
}

function Rule({ dataset, operation, values }: { dataset: string; operation: string; values: Values | undefined }) {
  const policy = dataset.slice(dataset.indexOf("/") + 1);
  const fields = values && policyOf(values, policy)?.operations.find((each) => each.name === operation)?.fields;
  return (
    <>
      <b>{visible(dataset)}</b> {visible(operation)}: {fields ? keepWords(fields.keep) : values ? "no rule names it, so nothing removes it" : "…"}
      {fields && (
        <>
          {" "}
          (<Link href={to.policy(policy)}>policy {visible(policy)}</Link>)
        </>
      )}
    </>
  );
}
