/** What applying the working copy would change, and whether its flows could be activated. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { planned } from "../../draft/foreseen";

const WAIT_MS = 300;

export function usePlanned(text: string, revision: number) {
  const [asked] = useDebouncedValue(text, WAIT_MS);
  return useQuery({ ...planned(asked, revision), placeholderData: keepPreviousData });
}
