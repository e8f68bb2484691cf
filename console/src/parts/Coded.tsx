/** A message of the Master with what it sets in backticks (keys, values, names) as code; the words stay the same. */
export function Coded({ text }: { text: string }) {
  return text.split(/`([^`]+)`/).map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}
