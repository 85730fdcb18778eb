/**
 * One request to the CA and its whole answer, by node:https and nothing above it.
 *
 * An order of a hundred names is two hundred of these. axios built an error with a stack for many, and a dozen objects
 * for each: half of the CPU of the order.
 */
import http from 'node:http';
import https from 'node:https';
import { bodyOf, responseTo } from '../response.ts';

const MAX_ANSWER_BYTES = 1 << 20;

export interface Agents {
  readonly httpAgent: http.Agent;
  readonly httpsAgent: https.Agent;
}

export interface Question {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly data: unknown;
  readonly agents: Agents;
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** What the body says as JSON, else its text. */
  readonly data: unknown;
}

/** The address or the answer is none that we can do anything with. */
export class Nonsense extends Error {}

/** Like Node's own before the answer has begun. */
class Late extends Error {
  readonly code = 'ABORT_ERR';
}

/** Redirects are answers too. Throws what Node throws, with its code; and Nonsense. */
export async function exchange(question: Question): Promise<Reply> {
  const response = await send(question);
  const { statusCode: status = 0, headers } = response;
  const text = await wholeOf(response).catch((error: Error) => {
    // Node says that the connection was reset, and it is our own time-out that did it.
    throw question.signal.aborted ? new Late() : error;
  });
  return { status, headers, data: parsed(text) };
}

async function send({ url, method, headers, data, agents, signal }: Question): Promise<http.IncomingMessage> {
  const body = data === undefined ? undefined : Buffer.from(JSON.stringify(data));
  const { protocol } = addressOf(url);
  const secure = protocol === 'https:';
  const length = body === undefined ? {} : { 'Content-Length': body.length };
  const request = (secure ? https : http).request(url, {
    ...{ method: method.toUpperCase(), headers: { ...headers, Accept: '*/*', ...length }, signal },
    agent: secure ? agents.httpsAgent : agents.httpAgent,
  });
  const response = await responseTo(request.end(body), signal);
  keepAfterHead(request, response);
  return response;
}

/** Node takes an answer to HEAD that tells no length for one that ends with its connection; but it has no body. */
function keepAfterHead(request: http.ClientRequest, { httpVersion, headers }: http.IncomingMessage): void {
  const mayBeKept = httpVersion === '1.1' && !/\bclose\b/i.test(headers.connection ?? '');
  if (request.method === 'HEAD' && mayBeKept) request.shouldKeepAlive = true;
}

/** The CA names the addresses, and it may be anybody. */
function addressOf(url: string): URL {
  const address = URL.parse(url);
  if (address === null || !/^https?:$/.test(address.protocol)) throw new Nonsense(`an address that is none: ${url}`);
  return address;
}

async function wholeOf(response: http.IncomingMessage): Promise<string> {
  const body = await bodyOf(response, MAX_ANSWER_BYTES);
  if (body === undefined) throw new Nonsense(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
  return body.toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
