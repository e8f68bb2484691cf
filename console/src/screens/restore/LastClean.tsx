/** A quick way to the moment before a dataset looked as if it were being destroyed. */
import { Button } from "@mantine/core";
import { IconShieldCheck } from "@tabler/icons-react";
import { useStatus } from "../../api/queries";
import { lastCleanOf } from "../../parts/anomalies";

export function LastClean({ dataset, onPick }: { dataset: string; onPick: (point: string) => void }) {
  const anomalies = useStatus().data?.repositories.flatMap((row) => row.anomalies) ?? [];
  const clean = lastCleanOf(anomalies, dataset);
  if (!clean) return null;
  return (
    <Button variant="default" leftSection={<IconShieldCheck size={16} aria-hidden />} onClick={() => onPick(clean)}>
      Last clean moment
    </Button>
  );
}
