/** What `bench/redaction-peers.ts` calls of @npmcli/redact, which ships no types. */
declare module '@npmcli/redact' {
  export function redactLog(text: string): string
}

declare module '@npmcli/redact/server' {
  export function redact(text: string): string
}
