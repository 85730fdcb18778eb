/**
 * Asking for the answer to a challenge the way a CA asks (RFC 8555 §8.3): what the look through the load balancer and the
 * preflight have in common. Whatever comes back is from strangers: bounded, and made printable before it is told.
 */
import type { IncomingMessage } from 'node:http';
import { printable } from './printable.ts';

export const CHALLENGE_PATH = '/.well-known/acme-challenge/';
/** Let's Encrypt's validation authority (boulder, va/http.go): 10 redirects, of these kinds and not 303. */
export const MAX_REDIRECTS = 10;
export const FOLLOWED: ReadonlySet<number> = new Set([301, 302, 307, 308]);
const PRINTED_CHARS = 120;

export interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
  /** Who answered, in a few words. */
  readonly note: string;
}

/** Not much more than `maxBytes` of it: the right answer is short, and anything may answer here. */
export async function readAnswer(response: IncomingMessage, maxBytes: number): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) break; // leaving the loop destroys the stream
  }
  const { statusCode: status = 0, statusMessage, headers } = response;
  const note = [statusMessage, headers['content-type'], headers.server && `Server: ${headers.server}`];
  return {
    status,
    location: headers.location,
    body: Buffer.concat(chunks).toString('latin1'),
    note: heard(note.filter(Boolean).join(', ')),
  };
}

/** What a stranger sent, as it may stand in a sentence: its headers are bytes, of which only ASCII means something. */
export function heard(text: string): string {
  return printable(text.replace(/[^\x20-\x7e]/g, '?'), PRINTED_CHARS);
}
