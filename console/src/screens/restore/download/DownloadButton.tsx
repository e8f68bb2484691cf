/** The button that begins a download; what it opens is loaded when it is wanted. */
import { ActionIcon } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";
import { later } from "../../../app/later";
import type { Wanted } from "./link";

const DownloadDialog = lazy(later(() => import("./DownloadDialog").then((module) => ({ default: module.DownloadDialog }))));

export function DownloadButton({ wanted, name }: { wanted: Wanted; name: string }) {
  const [asked, setAsked] = useState<Wanted | null>(null);
  return (
    <>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={`Download ${name}`}
        title="Download"
        onClick={(event) => {
          event.stopPropagation();
          setAsked(wanted);
        }}
      >
        <IconDownload size={16} aria-hidden />
      </ActionIcon>
      {asked && (
        <Suspense fallback={null}>
          <span onClick={(event) => event.stopPropagation()} onKeyDown={(event) => event.stopPropagation()} role="presentation">
            <DownloadDialog wanted={asked} onChange={setAsked} onClose={() => setAsked(null)} />
          </span>
        </Suspense>
      )}
    </>
  );
}
