/** What Marathon, or what stands before it, answers: one example for each thing the program has a word on. */
import { type Reply, refusal } from '../../src/marathon/error.ts';

const APP = '/v2/apps/marathon-lb';

const json = (status: number, message: string, more: object = {}): Reply => ({
  status,
  contentType: 'application/json',
  text: JSON.stringify({ message, ...more }),
});
const html = (status: number, title: string): Reply => ({
  status,
  contentType: 'text/html',
  text: `<title>${title}</title>`,
});

interface Example {
  readonly request: string;
  readonly reply: Reply;
}

const EXAMPLES: readonly Example[] = [
  { request: `PUT ${APP}`, reply: html(401, 'Unauthorized') },
  { request: `PUT ${APP}`, reply: json(403, 'Not Authorized to perform this action!') },
  { request: `GET ${APP}`, reply: json(404, "App '/marathon-lb' does not exist") },
  { request: `GET ${APP}`, reply: json(404, 'URI not found: /service/marathon/v2') },
  { request: `GET ${APP}`, reply: html(404, 'Not Found') },
  { request: `GET ${APP}`, reply: html(503, 'Service Unavailable') },
  {
    request: `PUT ${APP}`,
    reply: json(409, 'App is locked by one or more deployments.', { deployments: [{ id: 'd-17' }] }),
  },
  { request: `PUT ${APP}`, reply: json(403, 'Max number of deployments reached') },
  {
    request: `PUT ${APP}`,
    reply: json(422, 'Object is not valid', { details: [{ path: '/upgradeStrategy', errors: ['is not allowed'] }] }),
  },
  { request: `PUT ${APP}`, reply: html(502, 'Bad Gateway') },
];

export interface Said {
  readonly said: string;
  readonly cure: string;
}

export const marathonSays: readonly Said[] = EXAMPLES.map(({ request, reply }) => refusal(request, reply));
