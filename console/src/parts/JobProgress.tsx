/** How far a running job is: bar, bytes, files, rate, time left, phase. */
import { Progress as Bar, Stack, Text } from "@mantine/core";
import { type Progress, useLive } from "../live/store";
import { figuresText, percentOf, phaseWord } from "./progress";

/** `told`: what the job's record said, until the live figures come. */
export function JobProgress({ job, told = null }: { job: string; told?: Progress | null }) {
  const live = useLive((state) => state.progress.get(job) ?? null);
  const progress = live ?? told;
  if (!progress)
    return (
      <Text size="sm" c="dimmed">
        Waiting for its first figures
      </Text>
    );
  const percent = percentOf(progress);
  const figures = figuresText(progress);
  return (
    <Stack gap={4}>
      <Bar value={percent ?? 100} striped={percent === null} animated={percent === null} aria-label="Progress of the job" />
      <Text size="sm" c="dimmed">
        {phaseWord(progress.phase)}
        {figures && `, ${figures}`}
      </Text>
    </Stack>
  );
}
