/** What is offered only to those who may do it. */
import type { ReactNode } from "react";
import { type Activity, useMay } from "../api/rights";

export function OnlyFor({ activity, children }: { activity: Activity; children: ReactNode }) {
  return useMay()(activity) ? <>{children}</> : null;
}
