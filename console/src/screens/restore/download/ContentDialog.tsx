/** Two versions of a file side by side: texts line by line, pictures as pictures. The browser gets them from the machine that has them. */
import { Alert, Group, Loader, Modal, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { formatBytes, visible } from "../../../parts/format";
import { Problem } from "../../../parts/Problem";
import { decodedPath, nameOf } from "../paths";
import { type ContentKind, kindOf, MOST_IMAGE_BYTES, MOST_TEXT_BYTES } from "./content";
import classes from "./Content.module.css";
import { Outcome } from "./DownloadDialog";
import { compareLines } from "./lines";
import { bytesOf, linkTo, type Link, type Reach, reach, TooLarge } from "./link";

export interface Side {
  point: string;
  path: string;
  /** When it was so, for people. */
  title: string;
}

type Got = { link: Link; found: Reach } | { bytes: Uint8Array; kind: ContentKind } | { tooLarge: true };

async function contentOf({ point, path }: Side): Promise<Got> {
  const link = await linkTo({ point, path, format: "file" });
  const found = await reach(link);
  if (found.kind !== "ok") return { link, found };
  if ((found.sizeBytes ?? 0) > MOST_IMAGE_BYTES) return { tooLarge: true };
  try {
    const bytes = await bytesOf(link, MOST_IMAGE_BYTES);
    const kind = kindOf(bytes);
    return kind === "text" && bytes.length > MOST_TEXT_BYTES ? { tooLarge: true } : { bytes, kind };
  } catch (error) {
    if (error instanceof TooLarge) return { tooLarge: true };
    throw error;
  }
}

export function ContentDialog({ before, after, onClose }: { before: Side; after: Side; onClose: () => void }) {
  const got = useQuery({
    queryKey: ["content", before.point, before.path, after.point, after.path],
    queryFn: () => Promise.all([contentOf(before), contentOf(after)]),
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  return (
    <Modal opened onClose={onClose} title={`What changed in ${nameOf(decodedPath(after.path))}`} closeButtonProps={{ "aria-label": "Close" }} size="90%">
      <Stack gap="md">
        {got.isFetching && <Loader size="sm" aria-label="Getting both versions" />}
        {got.error && !got.isFetching && <Problem error={got.error} onRetry={() => void got.refetch()} />}
        {got.data && !got.isFetching && <Compared sides={[before, after]} got={got.data} onRetry={() => void got.refetch()} />}
      </Stack>
    </Modal>
  );
}

function Compared({ sides, got, onRetry }: { sides: [Side, Side]; got: [Got, Got]; onRetry: () => void }) {
  const [a, b] = got;
  const away = [a, b].find((each) => "link" in each);
  if (away && "link" in away) return <Outcome link={away.link} found={away.found} onRetry={onRetry} />;
  if (!("bytes" in a) || !("bytes" in b))
    return (
      <Alert title="Too large to be compared here">
        Text is shown up to {formatBytes(MOST_TEXT_BYTES)}, pictures up to {formatBytes(MOST_IMAGE_BYTES)}. Download both versions instead.
      </Alert>
    );
  if (a.kind === "text" && b.kind === "text") return <Texts sides={sides} before={a.bytes} after={b.bytes} />;
  if (a.kind.startsWith("image/") && b.kind.startsWith("image/"))
    return (
      <Group align="flex-start" grow wrap="wrap">
        <Picture side={sides[0]} bytes={a.bytes} kind={a.kind} />
        <Picture side={sides[1]} bytes={b.bytes} kind={b.kind} />
      </Group>
    );
  return (
    <Alert title="Neither text nor pictures">
      {formatBytes(a.bytes.length)} {visible(sides[0].title)}, {formatBytes(b.bytes.length)} {visible(sides[1].title)}.
    </Alert>
  );
}

function Texts({ sides, before, after }: { sides: [Side, Side]; before: Uint8Array; after: Uint8Array }) {
  const lines = useMemo(() => {
    const [a, b] = [new TextDecoder().decode(before), new TextDecoder().decode(after)];
    return compareLines(a, b);
  }, [before, after]);
  const near = useMemo(() => nearChanges(lines.map((line) => line.kind !== "same")), [lines]);
  const changed = lines.filter((line) => line.kind !== "same").length;
  return (
    <Stack gap="xs">
      <Text size="sm">
        {visible(sides[0].title)} → {visible(sides[1].title)}: {changed === 0 ? "the same text" : `${changed.toLocaleString("en")} lines differ`}
      </Text>
      <div className={classes.text} role="region" aria-label="Differences" tabIndex={0}>
        {lines.map(
          (line, place) =>
            near[place] && (
              <div key={place} className={classes[line.kind]}>
                <span className={classes.number}>{line.before ?? line.after}</span>
                <span className={classes.mark}>{{ same: " ", removed: "−", added: "+" }[line.kind]}</span>
                <span>{visible(line.text)}</span>
              </div>
            ),
        )}
      </div>
    </Stack>
  );
}

const CONTEXT = 3;
const MOST_SHOWN = 5_000;

/** Which lines are shown: those that changed and a few around them. */
function nearChanges(changed: readonly boolean[]): boolean[] {
  const near = changed.map(() => false);
  let left = MOST_SHOWN;
  changed.forEach((is, place) => {
    if (!is || left <= 0) return;
    for (let at = Math.max(0, place - CONTEXT); at <= Math.min(changed.length - 1, place + CONTEXT); at++) {
      if (!near[at]) left--;
      near[at] = true;
    }
  });
  return near;
}

function Picture({ side, bytes, kind }: { side: Side; bytes: Uint8Array; kind: string }) {
  const url = useMemo(() => URL.createObjectURL(new Blob([bytes as BlobPart], { type: kind })), [bytes, kind]);
  useEffect(() => () => URL.revokeObjectURL(url), [url]);
  return (
    <figure className={classes.picture}>
      <img src={url} alt={`${nameOf(decodedPath(side.path))}, ${side.title}`} />
      <figcaption>
        {visible(side.title)}, {formatBytes(bytes.length)}
      </figcaption>
    </figure>
  );
}
