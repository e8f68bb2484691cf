/** Says when what is shown may no longer be true. */
import { useLive } from "../live/store";
import { formatTime } from "../parts/format";
import { State } from "../parts/State";
import classes from "./ConnectionBanner.module.css";

export function ConnectionBanner() {
  const { connection, heardAt } = useLive(({ connection, heardAt }) => ({
    connection,
    // Only of interest when the connection is lost; else it would draw this anew with every word.
    heardAt: connection === "lost" ? heardAt : 0,
  }));
  return (
    <div aria-live="assertive" role="status" data-connection={connection}>
      {connection === "lost" && (
        <div className={classes.banner}>
          <State state="unknown" label="No connection" quiet />
          <span>
            The Master does not answer. {heardAt > 0 && `What you see is from ${formatTime(new Date(heardAt).toISOString())}. `}
            Trying again; the nodes go on by themselves.
          </span>
        </div>
      )}
    </div>
  );
}
