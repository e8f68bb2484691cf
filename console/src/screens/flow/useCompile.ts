/** What the compiler says of a flow as it stands in the working copy, saved or not. Asked when the text has rested; the newest answer counts. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { client, type Schemas, take } from "../../api/client";
import { keys } from "../../api/queries";
import { useDraft } from "../../draft/draft";

export type CompileReport = Schemas["CompileReport"];

const REST_MS = 400;

/** `isOld` of what it returns: the report is of an earlier text. */
export function useCompile(flow: string) {
  const { text, phase, waiting } = useDraft();
  const [rested] = useDebouncedValue(text, REST_MS);
  const report = useQuery({
    queryKey: [...keys.compile, flow, rested],
    queryFn: ({ signal }) =>
      take(client.POST("/api/v1/flows/{flow}/compile", { params: { path: { flow } }, body: { text: rested }, signal })),
    enabled: phase === "ready" && rested !== "",
    placeholderData: (before, query) => (query?.queryKey.at(-2) === flow ? keepPreviousData(before) : undefined),
    gcTime: 30_000,
  });
  return { ...report, isOld: report.isPlaceholderData || rested !== text || waiting > 0 };
}
