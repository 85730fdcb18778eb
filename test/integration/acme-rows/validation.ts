/** Names that the CA could not validate, each with the reason that Boulder's va gives. */
import { json } from '../../support/canned-ca.ts';
import { A, B, problem, type Row, verdict } from './row.ts';

const get = `Get "http://${B}/.well-known/acme-challenge/x"`;

export const VALIDATION: readonly Row[] = [
  {
    name: 'the firewall drops the CA',
    ca: verdict(
      'connection',
      '192.0.2.1: Fetching http://b.example/: Timeout during connect (likely firewall problem)',
    ),
    words: 'Timeout during connect (likely firewall problem)',
    cure: /DNS A\/AAAA of b\.example points to a public agent running marathon-lb, and that the firewall lets TCP 80 in/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'nothing listens on port 80',
    ca: verdict('connection', `${get}: dial tcp 192.0.2.1:80: connect: connection refused`),
    words: 'dial tcp 192.0.2.1:80: connect: connection refused',
    cure: /Nothing listens there on port 80: see that marathon-lb runs on the machine that b\.example points to/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the connection is reset',
    ca: verdict('connection', '192.0.2.1: Fetching http://b.example/: Connection reset by peer'),
    words: 'Connection reset by peer',
    cure: /Nothing listens there on port 80/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the name is reachable from one place and not from others',
    ca: verdict(
      'connection',
      'During secondary validation: 192.0.2.1: Fetching http://b.example/: Timeout during connect',
    ),
    words: 'During secondary validation: 192.0.2.1',
    cure: /take geo-blocking and DDoS protection off the challenge path/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'other places see another answer',
    ca: verdict('unauthorized', 'During secondary validation: 192.0.2.1: Invalid response from http://b.example/: 403'),
    words: 'During secondary validation: 192.0.2.1: Invalid response',
    cure: /reachable from one place but not from others/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the challenge path is redirected to another port',
    ca: verdict(
      'connection',
      'Fetching https://b.example:8443/: Invalid port in redirect target. Only ports 80 and 443 are supported, not 8443',
    ),
    words: 'Only ports 80 and 443 are supported, not 8443',
    cure: /Exempt \/\.well-known\/acme-challenge from the redirect/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'the challenge path is redirected in circles',
    ca: verdict('connection', 'Fetching http://b.example/: Redirect loop detected'),
    words: 'Redirect loop detected',
    cure: /no more than ten\. Exempt/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'the challenge path is redirected too often',
    ca: verdict('connection', 'Fetching http://b.example/: Too many redirects'),
    words: 'Too many redirects',
    cure: /Exempt/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'another app answers 404',
    ca: verdict('unauthorized', '192.0.2.1: Invalid response from http://b.example/.well-known/acme-challenge/x: 404'),
    words: 'Invalid response from http://b.example/.well-known/acme-challenge/x: 404',
    cure: /Another app answered for b\.example: give this app's HAPROXY_0_VHOST the name/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'another app answers with a page',
    ca: verdict('unauthorized', '192.0.2.1: Invalid response from http://b.example/: "<!DOCTYPE html>\\n<html><h1>Hi"'),
    words: '"<!DOCTYPE html>\\n<html><h1>Hi"',
    cure: /highest HAPROXY_0_BACKEND_WEIGHT/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'another ACME client answers',
    ca: verdict('unauthorized', 'The key authorization file from the server did not match this challenge'),
    words: 'did not match this challenge',
    cure: /Another app answered/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'there is no such name',
    ca: verdict(
      'dns',
      'DNS problem: NXDOMAIN looking up A for b.example - check that a DNS record exists for this domain',
    ),
    words: 'NXDOMAIN looking up A for b.example',
    cure: /Create a public A or AAAA record for b\.example, or take the name out of the labels/,
    ...{ blames: [B], wait: 'dns' },
  },
  {
    name: 'the name has no address',
    ca: verdict('dns', 'no valid A records found for b.example; no valid AAAA records found for b.example'),
    words: 'no valid A records found for b.example',
    cure: /Create a public A or AAAA record/,
    ...{ blames: [B], wait: 'dns' },
  },
  {
    name: 'its name servers answer with errors',
    ca: verdict(
      'dns',
      "DNS problem: SERVFAIL looking up A for b.example - the domain's nameservers may be malfunctioning",
    ),
    words: 'SERVFAIL looking up A for b.example',
    cure: /name servers of b\.example answer with errors \(DNSSEC\?/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'its name servers do not answer for CAA',
    ca: verdict('dns', 'While processing CAA for b.example: DNS problem: query timed out looking up CAA for b.example'),
    words: 'query timed out looking up CAA',
    cure: /CAA queries dropped\?\): ask the DNS provider/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'a CAA record forbids this CA, and the CA looks at once',
    ca: verdict('caa', 'CAA record for b.example prevents issuance'),
    words: 'CAA record for b.example prevents issuance',
    cure: /add one that allows it \(Let's Encrypt's is 0 issue "letsencrypt\.org"\), or remove the record/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'the redirect leads to broken TLS',
    ca: verdict('tls', 'Fetching https://b.example/: remote error: tls: handshake failure'),
    words: 'remote error: tls: handshake failure',
    cure: /redirected to HTTPS whose TLS is broken/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the redirect leads to a port that knows no TLS',
    ca: verdict('malformed', 'Fetching https://b.example/: Server only speaks HTTP, not TLS'),
    words: 'Server only speaks HTTP, not TLS',
    cure: /redirected to HTTPS whose TLS is broken/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the CA itself failed at this name',
    ca: verdict('serverInternal', 'Could not communicate with VA'),
    words: 'Could not communicate with VA',
    cure: /has a problem/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the CA has a word that we do not know',
    ca: verdict('moonPhase', 'Waxing'),
    words: 'moonPhase: Waxing',
    cure: /Waxing$/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'all names fail, each for a reason of its own',
    ca: ({ step, names: [name] }) => {
      if (step !== 'challenge') return undefined;
      return json(
        200,
        name === A ? problem('caa', 'CAA record for a.example prevents issuance') : problem('dns', 'NXDOMAIN'),
      );
    },
    words: '',
    cure: /record/,
    ...{ blames: [A, B], wait: { [A]: 'day', [B]: 'dns' } },
  },
  {
    name: 'the CA proves names in other ways only',
    ca: ({ step, names }) => {
      if (step !== 'authz' || names[0] !== B) return undefined;
      const challenges = [{ type: 'dns-01', url: 'http://127.0.0.1/', status: 'pending', token: 'x' }];
      return json(200, { status: 'pending', identifier: { type: 'dns', value: B }, challenges });
    },
    words: 'the CA offers no http-01 challenge for it',
    cure: /wants b\.example proved in another way: use another LETSENCRYPT_SERVER_URL/,
    ...{ blames: [B], wait: 'day' },
  },
];
