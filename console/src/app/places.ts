/** Where the screens are. Every link and every entry of the palette is made from here. */
import {
  IconAffiliate,
  IconArchive,
  IconBell,
  IconCalendarTime,
  IconClipboardList,
  IconDatabase,
  IconFileCertificate,
  IconHistory,
  IconHome,
  IconListCheck,
  IconLogs,
  IconReportAnalytics,
  IconServer2,
  IconSettings,
  IconShieldCheck,
} from "@tabler/icons-react";
import type { ComponentType } from "react";
import type { Activity, May } from "../api/rights";

export interface Place {
  path: string;
  title: string;
  /** What people may call it, for the palette. */
  words: string;
  /** Whoever may not do this sees nothing there, so is not sent there. */
  activity?: Activity;
  /** And must be granted it on everything. */
  whole?: boolean;
  icon: ComponentType<{ size?: number; stroke?: number; "aria-hidden"?: boolean }>;
}

const PLACES: readonly Place[] = [
  { path: "/", title: "Home", words: "overview status verdict", icon: IconHome },
  { path: "/flows", title: "Flows", words: "draw data flow diagram canvas", activity: "environment.read", icon: IconAffiliate },
  { path: "/policies", title: "Policies", words: "classification operations keep retention", activity: "environment.read", icon: IconShieldCheck },
  { path: "/schedules", title: "Schedules", words: "calendar windows exclusions trigger times next runs rpo when", activity: "environment.read", icon: IconCalendarTime },
  { path: "/nodes", title: "Nodes", words: "machines computers agents", icon: IconServer2 },
  { path: "/repositories", title: "Repositories", words: "stores points check", icon: IconDatabase },
  { path: "/restore", title: "Restore", words: "recover find search browse get back", activity: "data.read", icon: IconHistory },
  { path: "/archive", title: "Archive", words: "archived recall legal hold stubs old files", activity: "data.read", icon: IconArchive },
  { path: "/jobs", title: "Jobs", words: "runs tasks progress", icon: IconListCheck },
  { path: "/log", title: "Log", words: "events lines errors warnings acknowledge export what happened", activity: "status.read", whole: true, icon: IconLogs },
  { path: "/notifications", title: "Notifications", words: "alerts mail chat pager rules channels tell", activity: "environment.read", icon: IconBell },
  { path: "/reports", title: "Reports", words: "rpo coverage capacity forecast transfers drills csv html", activity: "metrics.read", icon: IconReportAnalytics },
  { path: "/audit", title: "Audit", words: "log who changes searches verify", activity: "audit.read", icon: IconFileCertificate },
  { path: "/document", title: "Document", words: "yaml environment text revisions", activity: "environment.read", icon: IconClipboardList },
  { path: "/settings", title: "Settings", words: "users roles grants tokens sessions approvals access password", icon: IconSettings },
];

/** Those that have something to show to whoever may do this. */
export const placesFor = (may: May): readonly Place[] =>
  PLACES.filter((place) => !place.activity || may(place.activity, place.whole ? "everything" : "anything"));

const part = encodeURIComponent;

function asked(path: string, query: Record<string, string>): string {
  const text = new URLSearchParams(query).toString();
  return text ? `${path}?${text}` : path;
}

export const to = {
  flow: (name: string, view: "draw" | "list" | "yaml" | "monitor" | "compile" = "draw") =>
    view === "draw" ? `/flows/${part(name)}` : `/flows/${part(name)}/${view}`,
  /** `flow`: the drawing one comes from, and back to. */
  policy: (name: string, flow = "") => `/policies/${part(name)}${flow && `?flow=${part(flow)}`}`,
  schedule: (name: string) => `/schedules/${part(name)}`,
  node: (name: string) => `/nodes/${part(name)}`,
  // No node has a name that begins with a dash.
  addNode: "/nodes/-/add",
  repository: (name: string) => `/repositories/${part(name)}`,
  job: (id: string) => `/jobs/${part(id)}`,
  restore: (query: Record<string, string> = {}) => asked("/restore", query),
  archive: (query: Record<string, string> = {}) => asked("/archive", query),
};
