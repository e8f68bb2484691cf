/** The sheet of keys. */
import { Kbd, Modal, Table, Title } from "@mantine/core";
import { Fragment } from "react";

/** Keys that are pressed together are joined by a space, keys that do alike by a comma. */
const KEYS: Readonly<Record<string, readonly [string, string][]>> = {
  Everywhere: [
    ["Ctrl K", "Go to, find, do"],
    ["?", "This sheet"],
    ["Ctrl Z", "Undo an edit"],
    ["Ctrl Shift Z", "Do it again"],
    ["Ctrl S", "Save the working copy"],
    ["Esc", "Leave"],
  ],
  "In the drawing": [
    ["A", "Add something"],
    ["C", "Connect what is selected to …"],
    ["Tab", "Walk through the drawing"],
    ["←, ↑, ↓, →", "Move what is selected"],
    ["Enter", "Open what is selected"],
    ["Delete", "Take what is selected off the drawing"],
    ["Home", "See the whole drawing"],
    ["T", "Tidy the drawing"],
  ],
};

export function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keyboard" size={480}>
      {Object.entries(KEYS).map(([where, keys]) => (
        <Fragment key={where}>
          <Title order={3} mt="xs">
            {where}
          </Title>
          <Table mb="xs" verticalSpacing={5} aria-label={where}>
            <Table.Tbody>
              {keys.map(([key, what]) => (
                <Table.Tr key={key}>
                  <Table.Td w={150}>
                    <Keys of={key} />
                  </Table.Td>
                  <Table.Td>{what}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Fragment>
      ))}
    </Modal>
  );
}

function Keys({ of }: { of: string }) {
  return of.split(/,? /).map((key) => (
    <Kbd key={key} mr={4}>
      {key}
    </Kbd>
  ));
}
