/** What is searched for, as the address has it, as the API takes it, and as people read it. Pure. */
import type { paths } from "../../../api/schema";
import { shellWord } from "../../../parts/format";
import { encodedPath, type Row } from "../paths";

/** Filters beside the words, each a parameter of the address and of the API. */
export const FILTERS = ["match", "case", "under", "size", "modified", "existed", "owner", "type", "ending", "state"] as const;
export type Filter = (typeof FILTERS)[number];
export type Filters = Readonly<Record<Filter, string>>;

export interface FilterKind {
  name: Filter;
  title: string;
  /** What can be chosen, with how it is called; without it, it is typed. */
  choices?: readonly (readonly [string, string])[];
  placeholder?: string;
}

export const KINDS: readonly FilterKind[] = [
  { name: "state", title: "Still there", choices: [["deleted", "Deleted"], ["existing", "Still there"]] },
  { name: "type", title: "Type", choices: [["file", "File"], ["folder", "Folder"], ["link", "Link"], ["other", "Device or pipe"]] },
  { name: "size", title: "Size", placeholder: ">1MB, <=4KiB or 1MB..2MB" },
  { name: "modified", title: "Changed", placeholder: "7d ago.. or 2026-01-01..2026-01-31" },
  { name: "existed", title: "Was there", placeholder: "2026-01-31 or 2026-01-01..2026-01-31" },
  { name: "owner", title: "Owner", placeholder: "a user's name or number" },
  { name: "ending", title: "Ending", placeholder: "pdf" },
  { name: "under", title: "Below folder", placeholder: "/srv/documents" },
  { name: "match", title: "Words are", choices: [["regex", "A regular expression"], ["part", "A part, * and ? as they are"]] },
  { name: "case", title: "Letters", choices: [["heed", "Capital and small ones differ"]] },
];

export const kindOf = (name: Filter): FilterKind => KINDS.find((kind) => kind.name === name)!;

/** What a chip says. */
export function chipOf(name: Filter, value: string): string {
  const kind = kindOf(name);
  const chosen = value.split(",").map((each) => kind.choices?.find(([choice]) => choice === each)?.[1] ?? each);
  return `${kind.title}: ${chosen.join(", ")}`;
}

export const isAsked = (q: string, filters: Filters): boolean =>
  q.trim() !== "" || FILTERS.some((name) => name !== "match" && name !== "case" && filters[name] !== "");

type Query = NonNullable<paths["/api/v1/search"]["get"]["parameters"]["query"]>;

/** People type a part of a name; what has a wildcard in it stands for the whole name. */
export function queryOf(q: string, filters: Filters): Query {
  const name = q.trim();
  const match = filters.match || (/[*?[]/.test(name) ? "glob" : "part");
  const given = Object.entries({ ...filters, case: filters.case || "ignore" }).filter(([, value]) => value !== "");
  return { ...Object.fromEntries(given), name, match, under: filters.under.split("/").map(encodeURIComponent).join("/") };
}

/** The command that finds the same. */
export function commandOf(q: string, filters: Filters): string {
  const { name, match } = queryOf(q, filters);
  const words = ["holdfast find", ...(name ? [shellWord(name)] : []), ...(name && match !== "glob" ? [`--${match}`] : [])];
  if (filters.case !== "heed") words.push("-i");
  for (const key of ["under", "size", "modified", "existed", "owner", "type", "ending"] as const)
    if (filters[key]) words.push(`--${key} ${shellWord(filters[key])}`);
  if (filters.state) words.push(`--${filters.state}`);
  return words.join(" ");
}

export type Hit = Row & { versions: number; exists: boolean; seen_at: string | null };

/** A file, with every repository that has it. */
export interface Found {
  key: string;
  hit: Hit;
  repositories: readonly string[];
}

/** In the order they came. Of several copies the one whose version began last; of equal ones one that a point holds. */
export function foundOf(hits: readonly Hit[]): Found[] {
  const found = new Map<string, Found>();
  for (const hit of hits) {
    const key = `${encodedPath(hit)}:${hit.dataset}`;
    const other = found.get(key);
    const repositories = [...new Set([...(other?.repositories ?? []), hit.repository])];
    const rank = (each: Hit) => [each.valid_from ?? "", each.point ? "1" : "0"].join(" ");
    found.set(key, { key, hit: other && rank(other.hit) >= rank(hit) ? other.hit : hit, repositories });
  }
  return [...found.values()];
}
