/** The movers of the flow, a row each, and a row to make another. */
import { Button, CloseButton, Text, VisuallyHidden } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { Card } from "../../../parts/Card";
import { useDraft } from "../../../draft/draft";
import { visible } from "../../../parts/format";
import { moverName, moverPath, setMover } from "../changes";
import { available, fitting, whyNot } from "../connecting";
import { type Drawing, type DrawnMover, needsStream } from "../drawing";
import type { Marks } from "../elements";
import { moverThing } from "../things";
import type { Drawer } from "../useDrawing";
import { textOf } from "../../policies/policy";
import { ChoiceCell, NamesCell, TextCell } from "./Cells";
import { keepText, keepValue, listEdits } from "./cells";
import classes from "./list.module.css";
import { RemoveRow, RowProblems } from "./RowEnd";

const COLUMNS = ["From", "To", "Carries", "Moves", "Limit", "Compression", "Runs after", "Keeps there", ""];
const COMPRESSION = [["", "as it is best"], ["off", "off"], ["max", "as small as can be"]] as const;
const MODES = [["", "with every run"], ["continuous", "as it changes"]] as const;
const LATER = ["window", "dial", "only"] as const;

interface MoverTableProps {
  drawing: Drawing;
  marks: ReadonlyMap<string, Marks>;
  selected: readonly string[];
  drawer: Drawer;
}

export function MoverTable({ drawing, marks, selected, drawer }: MoverTableProps) {
  return (
    <Card title="Movers" flush>
      <div className={classes.frame}>
        <table className={classes.table} aria-label="Movers">
          <thead>
            <tr>
              {COLUMNS.map((title) => (
                <th key={title} scope="col">
                  {title || <VisuallyHidden>Remove</VisuallyHidden>}
                </th>
              ))}
            </tr>
          </thead>
          {drawing.movers.map((mover) => (
            <tbody key={mover.index}>
              <Row mover={mover} drawing={drawing} isSelected={selected.includes(moverThing(mover))} drawer={drawer} />
              <RowProblems problems={marks.get(moverThing(mover)) ?? []} columns={COLUMNS.length} />
            </tbody>
          ))}
        </table>
      </div>
      <NewMover drawing={drawing} drawer={drawer} />
    </Card>
  );
}

function Row({ mover, drawing, isSelected, drawer }: { mover: DrawnMover; drawing: Drawing; isSelected: boolean; drawer: Drawer }) {
  const { values } = useDraft();
  const fit = useMemo(() => fitting(values, drawing, mover.from, mover.to), [values, drawing, mover]);
  const rest = useMemo(() => ({ ...drawing, movers: drawing.movers.filter((each) => each !== mover) }), [drawing, mover]);
  const names = drawing.vertices.map((vertex) => vertex.name);
  const kindOf = (name: string) => drawing.vertices.find((vertex) => vertex.name === name)?.kind;
  const called = visible(moverName(mover));
  const put = (key: string, value: Parameters<typeof setMover>[3]) => drawer.apply(setMover(drawing.flow, mover, key, value));
  const written = Array.isArray(mover.fields.carries) ? mover.carries : null;
  const carry = (next: string[]) =>
    drawer.apply({ edits: listEdits(written, next, moverPath(drawing.flow, mover.index, "carries")), label: `Change what ${moverName(mover)} carries` });
  return (
    <tr className={classes.row} data-selected={isSelected || undefined} aria-current={isSelected || undefined}>
      <td>
        <ChoiceCell
          label={`Start of ${called}`}
          value={mover.from}
          choices={names.filter((name) => whyNot(rest, name, mover.to) === null)}
          onChoose={(name) => put("from", name)}
        />
      </td>
      <td>
        <ChoiceCell
          label={`End of ${called}`}
          value={mover.to}
          choices={names.filter((name) => whyNot(rest, mover.from, name) === null)}
          onChoose={(name) => put("to", name)}
        />
      </td>
      <td>
        <NamesCell label={`What ${called} carries`} value={mover.carries} choices={fit} onChange={carry} />
        <Later mover={mover} onDrop={(key) => put(key, null)} />
      </td>
      <td>
        <Mode mover={mover} isCascade={kindOf(mover.from) === "repository"} called={called} onChoose={(value) => put("mode", value || null)} />
      </td>
      <td>
        <TextCell label={`Limit of ${called}`} written={textOf(mover.fields.limit)} placeholder="none" width={80} onCommit={(text) => put("limit", text || null)} />
      </td>
      <td>
        <ChoiceCell label={`Compression of ${called}`} value={textOf(mover.fields.compression)} choices={COMPRESSION} onChoose={(value) => put("compression", value || null)} />
      </td>
      <td>
        {(kindOf(mover.from) === "repository" || "after" in mover.fields) && (
          <ChoiceCell
            label={`What ${called} runs after`}
            value={textOf(mover.fields.after)}
            choices={[["", "any it carries"], ...available(values, drawing, mover.from)]}
            onChoose={(value) => put("after", value || null)}
          />
        )}
      </td>
      <td>
        {(kindOf(mover.to) === "repository" || "keep" in mover.fields) && (
          <TextCell label={`What ${called} keeps there`} written={keepText(mover.fields.keep)} placeholder="as the policy says" onCommit={(text) => put("keep", keepValue(text))} />
        )}
      </td>
      <td>
        <RemoveRow name={moverName(mover)} onRemove={() => drawer.drop([moverThing(mover)])} />
      </td>
    </tr>
  );
}

/** Free only where nothing that is carried decides it. */
function Mode({ mover, isCascade, called, onChoose }: { mover: DrawnMover; isCascade: boolean; called: string; onChoose: (value: string) => void }) {
  const { values } = useDraft();
  const written = textOf(mover.fields.mode);
  const isBound = needsStream(values, mover.carries).length > 0 && written !== "batch";
  if (isBound || (isCascade && written === "")) return <span>{isBound ? "as it changes" : "with every run"}</span>;
  const choices = written === "batch" ? [...MODES, ["batch", "with every run (batch)"] as const] : MODES;
  return <ChoiceCell label={`How ${called} moves`} value={written} choices={choices} onChoose={onChoose} />;
}

/** What the text says beside that and this version cannot do yet: seen, and taken out if wanted. */
function Later({ mover, onDrop }: { mover: DrawnMover; onDrop: (key: string) => void }) {
  return LATER.filter((key) => key in mover.fields).map((key) => (
    <span key={key} className={classes.also}>
      {visible(`${key}: ${JSON.stringify(mover.fields[key])}`)}
      <CloseButton size={24} aria-label={`Leave out ${key} of ${visible(moverName(mover))}`} onClick={() => onDrop(key)} />
    </span>
  ));
}

function NewMover({ drawing, drawer }: { drawing: Drawing; drawer: Drawer }) {
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const names = drawing.vertices.map((vertex) => vertex.name);
  const starts = names.filter((name) => names.some((end) => whyNot(drawing, name, end) === null));
  const ends = from === "" ? [] : names.filter((name) => whyNot(drawing, from, name) === null);
  const isReady = from !== "" && ends.includes(to);
  return (
    <form
      className={classes.foot}
      onSubmit={(event) => {
        event.preventDefault();
        if (!isReady) return;
        drawer.join(from, to);
        setFrom("");
        setTo("");
      }}
    >
      <ChoiceCell label="Start of a new mover" value={from} choices={starts} empty="from …" onChoose={setFrom} />
      <ChoiceCell label="End of a new mover" value={ends.includes(to) ? to : ""} choices={ends} empty="to …" onChoose={setTo} />
      <Button type="submit" variant="default" size="xs" leftSection={<IconPlus size={15} aria-hidden />} disabled={!isReady}>
        Add a mover
      </Button>
      {starts.length === 0 && (
        <Text size="sm" c="dimmed">
          All that can be connected is, or there is nothing to connect yet.
        </Text>
      )}
    </form>
  );
}
