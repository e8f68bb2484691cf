/** From when until when a version was what the file was. */
import { Moment as Time } from "../../parts/Moment";
import type { Row } from "./paths";
import classes from "./Restore.module.css";

/** `still`: how long it is so when it has no end. */
export function WasSo({ row, still }: { row: Pick<Row, "valid_from" | "valid_to">; still: string }) {
  return (
    <span className={classes.moment}>
      <span>
        from <Time time={row.valid_from} />
      </span>
      <span className={classes.sub}>
        {row.valid_to ? (
          <>
            until <Time time={row.valid_to} />
          </>
        ) : (
          still
        )}
      </span>
    </span>
  );
}
