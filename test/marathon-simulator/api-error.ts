/**
 * Refusals, in Marathon's words.
 *
 * Bodies as Marathon's MarathonExceptionMapper and RestResource write them; what Jetty or the leader proxy writes is
 * HTML, which is why a client must not parse an error before it has looked at the content type.
 */

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    super(`${status} ${JSON.stringify(body)}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

export interface Violation {
  readonly path: string;
  readonly errors: readonly string[];
}

export const LOCKED =
  "App is locked by one or more deployments. Override with the option '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'.";

export const unknownApp = (id: string) => new ApiError(404, { message: `App '${id}' does not exist` });
export const notValid = (details: readonly Violation[]) =>
  new ApiError(422, { message: 'Object is not valid', details });
export const illegal = (message: string) => new ApiError(422, { message });
export const locked = (ids: readonly string[]) =>
  new ApiError(409, { message: LOCKED, deployments: ids.map((id) => ({ id })) });

export const tooManyDeployments = () =>
  new ApiError(403, {
    message:
      'Max number (100) of running deployments is achieved. Wait for existing deployments to complete or cancel one' +
      'using force=true parameter. You can increase max deployment number by using --max_running_deployments ' +
      'parameter but be advised that this can have negative effects on the performance.',
  });

/** An answer of Jetty or of the leader proxy. */
export function jetty(status: number, reason: string, path: string, headers: Readonly<Record<string, string>> = {}) {
  const html = `<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>\n<title>Error ${status} ${reason}</title>\n</head>\n<body><h2>HTTP ERROR ${status}</h2>\n<p>Problem accessing ${path}. Reason:\n<pre>    ${reason}</pre></p><hr>Powered by Jetty://</body>\n</html>\n`;
  return new ApiError(status, html, { 'content-type': 'text/html;charset=iso-8859-1', ...headers });
}
