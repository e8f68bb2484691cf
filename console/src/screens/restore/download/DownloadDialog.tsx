/** A download on its way: it begins at once where the machine is reached; where not, what to do about it. */
import { Alert, Anchor, Button, Group, Loader, Modal, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Copyable } from "../../../parts/Equivalent";
import { Problem } from "../../../parts/Problem";
import { visible } from "../../../parts/format";
import { decodedPath, nameOf } from "../paths";
import { linkTo, type Link, type Reach, reach, saveAuthority, start, type Wanted } from "./link";

interface DownloadDialogProps {
  wanted: Wanted;
  onChange: (wanted: Wanted) => void;
  onClose: () => void;
}

export function DownloadDialog({ wanted, onChange, onClose }: DownloadDialogProps) {
  // Each opening makes a link of its own: it is good once.
  const tried = useQuery({
    queryKey: ["download", wanted.point, wanted.path, wanted.format],
    queryFn: () => begin(wanted),
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  return (
    <Modal opened onClose={onClose} title={`Download ${nameOf(decodedPath(wanted.path))}`} closeButtonProps={{ "aria-label": "Close" }} size="lg">
      <Stack gap="md">
        {tried.isFetching && (
          <Group gap="xs">
            <Loader size="sm" aria-label="Trying the machine" />
            <Text size="sm">Asking for a link, and trying the machine that has it …</Text>
          </Group>
        )}
        {tried.error && !tried.isFetching && <Problem error={tried.error} onRetry={() => void tried.refetch()} />}
        {tried.data && !tried.isFetching && <Outcome {...tried.data} onRetry={() => void tried.refetch()} />}
        {tried.data && (wanted.format === "zip" || wanted.format === "tar") && (
          <Group gap="xs" wrap="wrap">
            <Text size="sm" c="dimmed">
              A zip keeps content, names and times. Owners, links and attributes too:
            </Text>
            <Button size="compact-sm" variant="default" onClick={() => onChange({ ...wanted, format: wanted.format === "tar" ? "zip" : "tar" })}>
              {wanted.format === "tar" ? "As zip instead" : "As tar instead"}
            </Button>
          </Group>
        )}
      </Stack>
    </Modal>
  );
}

async function begin(wanted: Wanted): Promise<{ link: Link; found: Reach }> {
  const link = await linkTo(wanted);
  const found = await reach(link);
  if (found.kind === "ok") start(link);
  return { link, found };
}

export function Outcome({ link, found, onRetry }: { link: Link; found: Reach; onRetry: () => void }) {
  if (found.kind === "ok")
    return (
      <Alert role="status" color="teal" variant="light" icon={<IconDownload aria-hidden />} title="The browser downloads it">
        <Text size="sm">It comes from {visible(link.node)} itself. The link is good once.</Text>
      </Alert>
    );
  return (
    <Stack gap="md">
      <Alert role="alert" color="orange" variant="light" icon={<IconAlertTriangle aria-hidden />} title={TITLES[found.kind](link)}>
        <Stack gap="xs">
          {found.kind === "refused" && <Text size="sm">It says: {visible(found.code)}.</Text>}
          {found.kind === "unreachable" && <Text size="sm">The Master does not reach it either: {visible(link.problem)}</Text>}
          {found.kind === "certificate" && <Trust link={link} />}
          <Group>
            <Button size="xs" variant="outline" onClick={onRetry}>
              Try again
            </Button>
          </Group>
        </Stack>
      </Alert>
      <Text size="sm">The command needs no browser:</Text>
      <Copyable text={link.command} what="download command" />
    </Stack>
  );
}

const TITLES = {
  refused: (link: Link) => `${visible(link.node)} gives nothing`,
  unreachable: (link: Link) => `${visible(link.host)}:${link.port} cannot be reached`,
  certificate: (link: Link) => `This browser does not connect to ${visible(link.host)}:${link.port}`,
};

function Trust({ link }: { link: Link }) {
  const port = `https://${link.host.includes(":") ? `[${link.host}]` : link.host}:${link.port}/`;
  return (
    <>
      <Text size="sm">
        The Master reaches it, so most likely this browser does not trust its certificate; a firewall between here and there looks the same.
      </Text>
      <Text size="sm">
        {link.own_certificate
          ? "Its administrator gave it a certificate of their own."
          : "The certificate is of this environment's authority. Installed in the browser, it makes console and downloads trusted; "}
        {!link.own_certificate && (
          <>
            <Anchor component="button" type="button" size="sm" onClick={() => void saveAuthority()}>
              save it as a file
            </Anchor>
            . Its fingerprint (SHA-256) is {link.ca_fingerprint}.
          </>
        )}
      </Text>
      <Text size="sm">
        Or{" "}
        <Anchor href={port} target="_blank" rel="noreferrer" size="sm">
          open that address once
        </Anchor>
        , agree to the certificate there, and try again.
      </Text>
    </>
  );
}
