/** Small things that forms of the drawing share. */
import type { FormEvent } from "react";

/** The page stays; the form's own act is done. */
export const submits = (act: () => void) => (event: FormEvent) => {
  event.preventDefault();
  act();
};
