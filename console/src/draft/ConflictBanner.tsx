/** To come. */
export function ConflictBanner() {
  return null;
}
