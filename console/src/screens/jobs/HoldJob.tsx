/** Hold up a restore, go on with it, and take it back when it is over. */
import { Button, Group, Loader, Modal, Stack, Text } from "@mantine/core";
import { IconArrowBackUp, IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useState } from "react";
import { client, take } from "../../api/client";
import type { Job } from "../../live/store";
import { useBusy, useTrying } from "../../parts/acting";
import { sayDone } from "../../parts/notices";
import { Problem } from "../../parts/Problem";

type Held = Pick<Job, "id" | "kind" | "state">;

/** Nothing where the job is no restore, or does not run. */
export function HoldJob({ job }: { job: Held }) {
  const { busy, attempt } = useBusy();
  const isPaused = job.state === "paused";
  if (job.kind !== "restore" || !["paused", "running", "queued"].includes(job.state)) return null;
  const ask = () =>
    attempt(async () => {
      const params = { params: { path: { job: job.id } } };
      await take(isPaused ? client.POST("/api/v1/jobs/{job}/resume", params) : client.POST("/api/v1/jobs/{job}/pause", params));
      sayDone(isPaused ? "The restore goes on" : "The restore is being paused", isPaused ? "Whole files are not written again." : "What is in place stays.");
    });
  const Icon = isPaused ? IconPlayerPlay : IconPlayerPause;
  return (
    <Button variant="default" leftSection={<Icon size={16} aria-hidden />} loading={busy} onClick={() => void ask()}>
      {isPaused ? "Resume" : "Pause"}
    </Button>
  );
}

interface UndoProps {
  job: Held & { findings: readonly { code: string; message: string }[] };
}

/** Nothing where nothing is kept of the restore. */
export function UndoRestore({ job }: UndoProps) {
  const [isOpen, setOpen] = useState(false);
  const kept = job.findings.find((finding) => finding.code === "undo-kept");
  if (job.kind !== "restore" || !kept) return null;
  return (
    <>
      <Button variant="default" leftSection={<IconArrowBackUp size={16} aria-hidden />} onClick={() => setOpen(true)} title={kept.message}>
        Undo …
      </Button>
      {isOpen && <UndoDialog id={job.id} onClose={() => setOpen(false)} />}
    </>
  );
}

function UndoDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const [phase, setPhase] = useState<"ask" | "look" | "done">("ask");
  const [told, setTold] = useState("");
  const { busy, error, attempt } = useTrying();
  const go = (isDry: boolean) =>
    attempt(async () => {
      setTold(await undone(id, isDry));
      setPhase(isDry ? "look" : "done");
    });
  return (
    <Modal opened onClose={onClose} title={phase === "done" ? "The restore was taken back" : "Take back the restore?"}>
      <Stack aria-live="polite">
        {phase === "ask" && (
          <Text size="sm">What it replaced comes back, the very files. What it made goes. Whatever was changed since stays as it is, and is named.</Text>
        )}
        {busy && <Loader size="sm" aria-label={phase === "ask" ? "Looking what would happen" : "Taking it back"} />}
        {told && <Text size="sm">{`${told.charAt(0).toUpperCase()}${told.slice(1)}.`}</Text>}
        {error !== null && <Problem error={error} />}
        <Group justify="flex-end">
          {phase !== "done" && (
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
          )}
          {phase === "ask" && (
            <Button loading={busy} onClick={() => void go(true)}>
              Look what would happen
            </Button>
          )}
          {phase === "look" && (
            <Button loading={busy} onClick={() => void go(false)}>
              Undo now
            </Button>
          )}
          {phase === "done" && <Button onClick={onClose}>Close</Button>}
        </Group>
      </Stack>
    </Modal>
  );
}

/** What the job of taking it back, or its rehearsal, has to say. */
async function undone(job: string, isDry: boolean): Promise<string> {
  const { trigger } = await take(client.POST("/api/v1/jobs/{job}/undo", { params: { path: { job } }, body: { dry_run: isDry } }));
  for (;;) {
    const seen = await take(client.GET("/api/v1/triggers/{trigger}", { params: { path: { trigger }, query: { wait_s: 10 } } }));
    if (!seen.done) continue;
    const [own] = seen.jobs;
    const problem = own?.error ?? seen.problems[0]?.error;
    if (problem) throw problem;
    return own?.findings.find((finding) => finding.code === "undone" || finding.code === "dry-run")?.message ?? "nothing had to be done";
  }
}
