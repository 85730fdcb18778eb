/** The tests' own way in: over HTTP like everybody, but known to the simulator, so neither faults nor rules apply. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { OPERATOR_HEADER } from './http.ts';

export interface Operator {
  readonly url: string;
  readonly operatorSecret: string;
  /** The simulator's own certificate, if it speaks TLS. */
  readonly ca?: string;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export async function callAsOperator(
  operator: Operator,
  method: string,
  path: string,
  body: unknown,
): Promise<ApiAnswer> {
  const content = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    [OPERATOR_HEADER]: operator.operatorSecret,
    accept: 'application/json',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(content),
  };
  const options = { method, headers, agent: false as const };
  const url = `${operator.url}${path}`;
  const request = operator.ca ? httpsRequest(url, { ...options, ca: operator.ca }) : httpRequest(url, options);
  request.end(content);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const json = response.headers['content-type']?.startsWith('application/json') && text !== '';
  const pairs = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)]);
  return { status: response.statusCode ?? 0, headers: new Headers(pairs), body: json ? JSON.parse(text) : text };
}
