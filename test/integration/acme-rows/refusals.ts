/** Names and orders that the CA refuses: when they are asked for, while the certificate is made, and at the end. */
import { json } from '../../support/canned-ca.ts';
import { A, at, B, C, invalidOrder, named, problem, type Row, refusal } from './row.ts';

const NO_SUFFIX = 'Domain name does not end with a valid public suffix (TLD)';

export const REFUSED_NAMES: readonly Row[] = [
  {
    name: 'one name of two is not public: it stands in quotes only',
    ca: at(
      'newOrder',
      refusal(400, 'rejectedIdentifier', `Invalid identifiers requested :: Cannot issue for "${B}": ${NO_SUFFIX}`),
      B,
    ),
    words: `Cannot issue for "${B}": ${NO_SUFFIX}`,
    cure: /b\.example is no public domain name: take it out of the labels/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'two names of three are not public: they are subproblems',
    domains: [A, B, C],
    ca: at(
      'newOrder',
      refusal(
        400,
        'rejectedIdentifier',
        `Cannot issue for "${B}": ${NO_SUFFIX} (and 1 more problems. Refer to sub-problems for more information.)`,
        {
          subproblems: [named(B, 'rejectedIdentifier', NO_SUFFIX), named(C, 'rejectedIdentifier', NO_SUFFIX)],
        },
      ),
      B,
      C,
    ),
    words: NO_SUFFIX,
    cure: /is no public domain name/,
    ...{ blames: [B, C], wait: 'week' },
  },
  {
    name: 'a name is forbidden by policy',
    ca: at(
      'newOrder',
      refusal(
        400,
        'rejectedIdentifier',
        `Cannot issue for "${B}": The ACME server refuses to issue a certificate for this domain name, because it is forbidden by policy`,
      ),
      B,
    ),
    words: 'because it is forbidden by policy',
    cure: /The CA will not issue for b\.example, by its policy: take the name out of the labels/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'a name is malformed',
    ca: at(
      'newOrder',
      refusal(400, 'malformed', `Cannot issue for "${B}": Domain name contains an invalid character`),
      B,
    ),
    words: 'Domain name contains an invalid character',
    cure: /cannot read b\.example as a domain name/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'names refused while the certificate is made',
    ca: at(
      'finalize',
      refusal(400, 'rejectedIdentifier', `Error finalizing order :: Cannot issue for "${B}": policy has changed`),
      B,
    ),
    words: 'policy has changed',
    cure: /will not issue for b\.example/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'the CA refuses one of three and does not say which: it is found',
    domains: [A, B, C],
    ca: at('newOrder', refusal(400, 'rejectedIdentifier', 'One of these is forbidden'), B),
    words: 'One of these is forbidden',
    cure: /will not issue for b\.example/,
    ...{ blames: [B], wait: 'week', orders: [[A, B, C], [A], [B], [A, C]] },
  },
  {
    name: 'the CA refuses any names and does not say why: no name is blamed',
    ca: at('newOrder', refusal(400, 'rejectedIdentifier', 'Not today')),
    words: 'Not today',
    cure: /take the name out of the labels/,
    ...{ blames: 'certificate', wait: 'day', orders: [[A, B], [A], [B]] },
  },
  {
    name: 'the CA refuses the only name and does not name it',
    domains: [B],
    ca: at('newOrder', refusal(400, 'rejectedIdentifier', 'It is forbidden')),
    words: 'It is forbidden',
    cure: /will not issue for b\.example/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'there are more names than the CA puts on a certificate',
    ca: at('newOrder', refusal(400, 'malformed', 'Order cannot contain more than 25 identifiers')),
    words: 'Order cannot contain more than 25 identifiers',
    cure: /no more than 25 names on a certificate: shorten HAPROXY_0_VHOST \(or DOMAINS\) to 25 names/,
    ...{ blames: 'certificate', wait: 'week' },
  },
];

const CAA = 'Error finalizing order :: ';

export const ORDER: readonly Row[] = [
  ...['badCSR', 'badPublicKey', 'badSignatureAlgorithm'].map(
    (type): Row => ({
      name: `the key is not to the CA's taste: ${type}`,
      ca: at('finalize', refusal(400, type, `${CAA}key is not acceptable`)),
      words: `${type}: ${CAA}key is not acceptable`,
      cure: /does not take this kind of key: set KEY_TYPE=ec256 or KEY_TYPE=rsa2048/,
      ...{ blames: 'certificate', wait: 'settings' },
    }),
  ),
  {
    name: 'a CAA record forbids the certificate at the end: the CA names our name',
    ca: at(
      'finalize',
      refusal(403, 'caa', `${CAA}While processing CAA for ${B}: CAA record for example prevents issuance`),
      B,
    ),
    words: `While processing CAA for ${B}: CAA record for example prevents issuance`,
    cure: /A CAA record forbids this CA to issue for b\.example/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'a CAA record forbids the certificate at the end: the CA names the zone only',
    domains: [A, 'www.zone.example'],
    ca: at('finalize', refusal(403, 'caa', `${CAA}CAA record for zone.example prevents issuance`), 'www.zone.example'),
    words: 'CAA record for zone.example prevents issuance',
    cure: /forbids this CA to issue for www\.zone\.example/,
    ...{ blames: ['www.zone.example'], wait: 'day' },
  },
  {
    name: 'a CAA record forbids the certificate at the end: the zone may mean all',
    ca: at('finalize', refusal(403, 'caa', `${CAA}CAA record for elsewhere.test prevents issuance`)),
    words: 'CAA record for elsewhere.test prevents issuance',
    cure: /add one that allows it/,
    ...{ blames: 'certificate', wait: 'day' },
  },
  {
    name: 'CAA records forbid two of three at the end: they are subproblems',
    domains: [A, B, C],
    ca: at(
      'finalize',
      refusal(
        403,
        'caa',
        `${CAA}Rechecking CAA for "${B}" and 1 more identifiers failed. Refer to sub-problems for more information`,
        {
          subproblems: [B, C].map((name) =>
            named(name, 'caa', `While processing CAA for ${name}: CAA record for ${name} prevents issuance`),
          ),
        },
      ),
      B,
      C,
    ),
    words: 'prevents issuance',
    cure: /A CAA record forbids this CA/,
    ...{ blames: [B, C], wait: 'day' },
  },
  {
    name: 'a CAA record forbids the certificate while the CA makes it: the order turns invalid',
    ca: invalidOrder(problem('caa', `${CAA}While processing CAA for ${B}: CAA record for ${B} prevents issuance`), B),
    words: `CAA record for ${B} prevents issuance`,
    cure: /forbids this CA to issue for b\.example/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'names fail while the CA makes the certificate: the invalid order has subproblems',
    domains: [A, B, C],
    ca: invalidOrder(
      problem('caa', 'Rechecking CAA failed', {
        subproblems: [B, C].map((name) => named(name, 'caa', `CAA record for ${name} prevents issuance`)),
      }),
      B,
      C,
    ),
    words: 'prevents issuance',
    cure: /forbids this CA/,
    ...{ blames: [B, C], wait: 'day' },
  },
  {
    name: 'the order turns invalid and the CA says why, but not for whom',
    ca: invalidOrder(problem('unauthorized', 'Something about it')),
    words: 'Something about it',
    cure: /Something about it/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'the order for a single name turns invalid: whom else could it mean',
    domains: [B],
    ca: invalidOrder(problem('unauthorized', 'Invalid response: 404')),
    words: 'b.example: unauthorized: Invalid response: 404',
    cure: /Another app answered for b\.example/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the order turns invalid and the CA does not say why',
    ca: invalidOrder(undefined),
    words: 'the order is invalid, and the CA does not say why',
    cure: /that order is given up, and the next try makes a new one/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'the order is gone',
    ca: ({ step }) => (step === 'order' ? refusal(404, 'malformed', 'No order for ID 7') : undefined),
    words: 'No order for ID 7',
    cure: /that order is given up, and the next try makes a new one/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'the CA speaks of profiles, of which we asked for none',
    ca: at('newOrder', refusal(400, 'invalidProfile', 'Profile "classic" is not offered')),
    words: 'Profile "classic" is not offered',
    cure: /that order is given up, and the next try makes a new one/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'the CA speaks of a replaced certificate, though we named none',
    ca: at('newOrder', refusal(409, 'alreadyReplaced', 'cannot indicate an order replaces certificate with serial')),
    words: 'cannot indicate an order replaces certificate with serial',
    cure: /that order is given up, and the next try makes a new one/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'the CA makes an order for other names',
    ca: ({ step, names }) => {
      if (step !== 'newOrder' || names.length !== 2) return undefined;
      const order = {
        status: 'pending',
        identifiers: [{ type: 'dns', value: A }],
        authorizations: [],
        finalize: 'http://127.0.0.1/',
      };
      return json(201, order, { Location: 'http://127.0.0.1/order/9' });
    },
    words: 'the order lists a.example instead of a.example, b.example',
    cure: /that order is given up, and the next try makes a new one/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'what the CA gives as the certificate is none',
    ca: (asked) => {
      if (asked.step !== 'finalize') return undefined;
      const identifiers = asked.names.map((value) => ({ type: 'dns', value }));
      const base = { status: 'valid', identifiers, authorizations: [], finalize: 'http://127.0.0.1/' };
      return json(200, { ...base, certificate: `${asked.base}/certificate/0` });
    },
    words: 'it is no PEM',
    cure: /certificate at 127/,
    ...{ blames: 'directory', wait: 'outage' },
  },
];
