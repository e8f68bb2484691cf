/** Datasets that are followed: how each does, what waits, by what it is watched, and its gaps. The worst first. */
import { Text } from "@mantine/core";
import { Link } from "wouter";
import { to } from "../app/places";
import { useNow } from "./clock";
import { Coded } from "./Coded";
import classes from "./FollowedList.module.css";
import { type Followed, followState, gapSentence, meansWords, shortfallSentences, spooledSentences, waitingWords, worstFirst } from "./following";
import { counted, sentence, visible } from "./format";
import { Moment } from "./Moment";
import lines from "./Rows.module.css";
import { State } from "./State";

interface FollowedListProps {
  rows: readonly Followed[];
  /** At most so many; how many more there are is said. */
  most?: number;
}

export function FollowedList({ rows, most = 8 }: FollowedListProps) {
  const shown = worstFirst(rows).slice(0, most);
  return (
    <>
      <ul className={lines.list} aria-label="Followed datasets">
        {shown.map((row) => (
          <FollowedRow key={row.dataset_id} row={row} />
        ))}
      </ul>
      {rows.length > shown.length && (
        <Text size="sm" c="dimmed" mt="xs">
          And {counted(rows.length - shown.length, "more", "more")}; those that need a look come first.
        </Text>
      )}
    </>
  );
}

function FollowedRow({ row }: { row: Followed }) {
  const now = useNow();
  const { state, word } = followState(row);
  const waits = waitingWords(row, now);
  const means = meansWords(row.means);
  const [newest] = row.gaps;
  return (
    <li>
      <State state={state} label={word} />
      <div className={lines.grow}>
        <Link href={to.restore({ dataset: row.dataset })} className={lines.name}>
          {visible(row.dataset)}
        </Link>
        {waits && <span>: {waits}</span>}
        {row.error && (
          <p className={classes.sub}>
            {sentence(visible(row.error.message))} {row.error.hint && <Coded text={sentence(visible(row.error.hint))} />}
          </p>
        )}
        {spooledSentences(row, now).map((each) => (
          <p key={each} className={classes.sub}>
            {each}
          </p>
        ))}
        {row.open_gap_since && (
          <p className={classes.sub}>
            Since <Moment time={row.open_gap_since} /> changes may have gone unseen. All of it is being looked at; nothing is to be done.
          </p>
        )}
        {newest && (
          <p className={classes.sub}>
            <State state="warning" label="newest gap" quiet /> {gapSentence(newest)} What is there now is known again.
          </p>
        )}
        <p className={classes.sub}>{[means ? `Watched by ${means}.` : "", ...shortfallSentences(row.shortfalls)].filter(Boolean).join(" ")}</p>
      </div>
    </li>
  );
}
