import { QueryObserver } from "@tanstack/react-query";
import { afterEach, expect, test, vi } from "vitest";
import { keys, queryClient } from "../api/queries";
import { refreshAfter } from "./refresh";
import type { Delta } from "./store";

const points = { kind: "points", seq: 1, datasets: [] } as unknown as Delta;

afterEach(() => queryClient.clear());

/** A screen that shows this read; each question waits for its answer. */
function screen(key: readonly string[]) {
  const asked: ((answer: string) => void)[] = [];
  const observer = new QueryObserver<string>(queryClient, {
    queryKey: key,
    queryFn: () => new Promise((resolve) => asked.push(resolve)),
  });
  observer.subscribe(() => undefined);
  return { asked, shown: () => observer.getCurrentResult().data };
}

test("an event makes a screen ask anew", async () => {
  const { asked, shown } = screen(keys.repositories);
  asked[0]?.("before");
  await vi.waitFor(() => expect(shown()).toBe("before"));
  refreshAfter(points);
  await vi.waitFor(() => expect(asked.length).toBe(2));
  asked[1]?.("after");
  await vi.waitFor(() => expect(shown()).toBe("after"));
  expect(asked.length).toBe(2);
});

test("also when its first answer, of before the event, is still on its way", async () => {
  const { asked, shown } = screen(keys.repositories);
  refreshAfter(points);
  refreshAfter(points);
  expect(asked.length).toBe(1);
  asked[0]?.("before");
  await vi.waitFor(() => expect(asked.length).toBe(2));
  asked[1]?.("after");
  await vi.waitFor(() => expect(shown()).toBe("after"));
  expect(asked.length).toBe(2);
});
