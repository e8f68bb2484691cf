/** The schedules that are shown: of the working copy for whoever may edit it, else of the saved document. */
import { useMay } from "../../api/rights";
import { useDraft } from "../../draft/draft";
import { ownSchedulesOf, type OwnSchedule, savedSchedules, type Schedule, schedulesOf } from "./schedules";
import { useNextRuns } from "./useCalendar";

export interface Shown {
  named: readonly Schedule[];
  own: readonly OwnSchedule[];
  isThere: boolean;
  mayRead: boolean;
  mayChange: boolean;
  /** Why there is no working copy; of whoever may have none it says nothing. */
  error: unknown;
}

export function useSchedules(): Shown {
  const may = useMay();
  const draft = useDraft();
  const mayRead = may("environment.read");
  const mayChange = may("environment.change");
  const saved = useNextRuns(mayRead);
  if (!mayChange) {
    const { named, own } = savedSchedules(saved.data?.schedules ?? []);
    return { named, own, isThere: saved.data !== undefined, mayRead, mayChange, error: null };
  }
  return {
    named: schedulesOf(draft.values),
    own: ownSchedulesOf(draft.values),
    isThere: draft.phase === "ready",
    mayRead,
    mayChange,
    error: draft.error,
  };
}
