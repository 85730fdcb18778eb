/**
 * What kind of an address a name leads to: one that a public CA can reach, one of a network of somebody's own, or one
 * at which no server of a name can be (this very host, multicast, and link-local, where clouds keep their metadata).
 *
 * By IANA's registries of special-purpose addresses (RFC 6890), which boulder goes by too (iana/ip.go). Pure.
 */
import { BlockList, isIP, isIPv4 } from 'node:net';

export type AddressKind = 'public' | 'private' | 'unusable';

const UNUSABLE = blockList(
  ['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'],
  ['::/128', '100::/64', 'fe80::/10', 'ff00::/8'],
);
const PRIVATE = blockList(
  [
    ...['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24'],
    ...['192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ],
  ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'],
);
/** The only part of IPv6 that has been given out (RFC 4291 §2.4, IANA's table of unicast space). */
const GIVEN_OUT = blockList([], ['2000::/3']);
/** An IPv4 address as a network of IPv6 alone shows it (RFC 6052): it counts as what it stands for. */
const NAT64 = blockList([], ['64:ff9b::/96']);

export function kindOf(address: string): AddressKind {
  if (isIP(address) === 0) return 'unusable';
  if (isIPv4(address)) {
    if (UNUSABLE.check(address, 'ipv4')) return 'unusable';
    return PRIVATE.check(address, 'ipv4') ? 'private' : 'public';
  }
  if (NAT64.check(address, 'ipv6')) return kindOf(lastFourBytes(address));
  // Not in a list: these see no difference between an IPv4 address and the same one mapped.
  if (/^::ffff:/i.test(canonical(address)) || UNUSABLE.check(address, 'ipv6')) return 'unusable';
  if (!GIVEN_OUT.check(address, 'ipv6')) return 'private';
  return PRIVATE.check(address, 'ipv6') ? 'private' : 'public';
}

/** As an URL writes it: lower case, groups of hexadecimal digits, the longest run of zeros as `::`. */
function canonical(v6: string): string {
  return new URL(`http://[${v6.replace(/%.*/, '')}]/`).hostname.slice(1, -1);
}

function lastFourBytes(v6: string): string {
  const [high = 0, low = 0] = `0:0:${canonical(v6).replace('::', ':0:0:')}`
    .split(':')
    .slice(-2)
    .map((group) => Number.parseInt(group || '0', 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function blockList(v4: readonly string[], v6: readonly string[]): BlockList {
  const list = new BlockList();
  for (const [family, subnets] of [['ipv4', v4] as const, ['ipv6', v6] as const]) {
    for (const subnet of subnets) {
      const [net = '', prefix] = subnet.split('/');
      list.addSubnet(net, Number(prefix), family);
    }
  }
  return list;
}
