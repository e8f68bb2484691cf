/** What is to become of the chosen points. */
import { Alert, Checkbox, Radio, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import type { ChangeKind, Wish } from "./changing";

export function ChangeForm({ kind, wish, onWish }: { kind: ChangeKind; wish: Wish; onWish: (wish: Wish) => void }) {
  const put = (change: Partial<Wish>) => onWish({ ...wish, ...change });
  switch (kind) {
    case "tag":
      return (
        <Stack gap="sm">
          <TagsInput label="Tags to add" description="Words of your own; Enter after each. restic shows them, too." value={[...wish.add]} onChange={(add) => put({ add })} acceptValueOnBlur />
          <TagsInput label="Tags to take away" value={[...wish.remove]} onChange={(remove) => put({ remove })} acceptValueOnBlur />
        </Stack>
      );
    case "lock":
      return (
        <Stack gap="sm">
          <TextInput type="datetime-local" label="Locked until" value={wish.until} onChange={(event) => put({ until: event.currentTarget.value })} />
          <Alert color="yellow" variant="light" title="A lock is only ever lengthened">
            Until then Holdfast lets these points go by no way: no keep rule, no command, nobody at the Master. Their space is taken until then.
          </Alert>
        </Stack>
      );
    case "expire":
      return (
        <Stack gap="sm">
          <Radio.Group label="From when on no keep rule keeps them" value={wish.expiry} onChange={(expiry) => put({ expiry: expiry as Wish["expiry"] })}>
            <Stack gap={8} mt={6}>
              <Radio value="now" label="Now" description="The next run lets them go; the newest of a dataset stays." />
              <Radio value="at" label="At a time" />
              <Radio value="never" label="Never said" description="Take back what was said before: the keep rules decide." />
            </Stack>
          </Radio.Group>
          {wish.expiry === "at" && <TextInput type="datetime-local" label="Expires" value={wish.at} onChange={(event) => put({ at: event.currentTarget.value })} />}
        </Stack>
      );
    case "forget":
      return (
        <Stack gap="sm">
          <Text size="sm">Forgotten points can never be restored again. Their space comes back with the next prune.</Text>
          <Checkbox
            label="Also the newest point of a dataset"
            description="The next run builds on it; without it the next run reads everything again."
            checked={wish.newest}
            onChange={(event) => put({ newest: event.currentTarget.checked })}
          />
        </Stack>
      );
  }
}
