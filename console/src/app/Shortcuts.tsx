/** The sheet of keys. */
import { Kbd, Modal, Table } from "@mantine/core";

const KEYS: readonly [string, string][] = [
  ["Ctrl K", "Go to, find, do"],
  ["?", "This sheet"],
  ["Ctrl Z", "Undo an edit"],
  ["Ctrl Shift Z", "Do it again"],
  ["Ctrl S", "Save the draft"],
  ["A", "On the canvas: add something"],
  ["C", "Connect the selected vertex to …"],
  ["Tab, arrows", "Walk through the drawing, move what is selected"],
  ["Enter", "Open what is selected in the inspector"],
  ["Delete", "Take what is selected off the drawing"],
  ["Home", "See the whole drawing"],
  ["T", "Tidy the drawing"],
  ["Esc", "Leave"],
];

export function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keyboard">
      <Table>
        <Table.Tbody>
          {KEYS.map(([key, what]) => (
            <Table.Tr key={key}>
              <Table.Td w={150}>
                <Kbd>{key}</Kbd>
              </Table.Td>
              <Table.Td>{what}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
