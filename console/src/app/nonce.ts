/** This answer's nonce: styles that libraries add at run time must bear it, the page's policy lets no others in (docs/console.md). */
export const nonce = document.querySelector<HTMLMetaElement>("meta[name=csp-nonce]")?.content ?? "";

// Where `react-remove-scroll`, which Mantine's dialogs use, looks for it.
(globalThis as { __webpack_nonce__?: string }).__webpack_nonce__ = nonce;
