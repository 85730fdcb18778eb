/** Which addresses a CA can reach: both ends of each range that it cannot, and their neighbours (IANA's registries). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AddressKind, kindOf } from '../../src/acme/addresses.ts';

const ROWS: Readonly<Record<AddressKind, string>> = {
  public:
    '1.0.0.0 1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 ' +
    '169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 ' +
    '203.0.114.0 223.255.255.255 2001:200::1 2606:4700:4700::1111 2a00:1450::1 64:ff9b::1.1.1.1 64:ff9b::101:101',
  private:
    '10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 172.16.0.0 172.31.255.255 ' +
    '192.0.0.1 192.0.2.255 192.88.99.1 192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.1 ' +
    '203.0.113.255 ::1 fc00::1 fdff:ffff::1 fec0::1 2001::1 2001:1ff::1 2001:db8::1 2002:7f00:1::1 3fff::1 4000::1 ' +
    '64:ff9b::10.0.0.1 64:ff9b::a00:1 64:ff9b:1::1 ::7f00:1',
  unusable:
    '0.0.0.0 0.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255 224.0.0.1 240.0.0.1 255.255.255.255 :: ' +
    '::ffff:127.0.0.1 ::ffff:1.1.1.1 0:0:0:0:0:ffff:a00:1 100::1 fe80::1 fe80::1%eth0 febf::1 ff02::1 ' +
    '64:ff9b::169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b:: localhost 1.2.3 0x7f.1',
};

for (const [kind, addresses] of Object.entries(ROWS))
  for (const address of addresses.split(' ')) test(`${address} is ${kind}`, () => assert.equal(kindOf(address), kind));
