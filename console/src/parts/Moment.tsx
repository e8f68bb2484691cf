/** A time as people say it, exact on hover. */
import { useNow } from "./clock";
import { formatAgo, formatTime, formatUtc } from "./format";

/** `ago` shows how long before or after now; otherwise local date and time. Nothing known is said so. */
export function Moment({ time, ago = false, never = "never" }: { time: string | null | undefined; ago?: boolean; never?: string }) {
  const now = useNow();
  if (!time) return <span>{never}</span>;
  return (
    <time dateTime={time} title={`${formatTime(time)} local, ${formatUtc(time)}`}>
      {ago ? formatAgo(time, now) : formatTime(time)}
    </time>
  );
}
