/** Formats whose mark is not in front: marks behind or within a token, and addresses that are secret from a place on. */
import type { SecretAddress, TailedFormat } from './format.js'

export const TAILED: readonly TailedFormat[] = [
  ['telegram-token', ':AA', /\d/, 8, 12, /:AA[\w-]{30,40}/],
  ['telegram-token', '%3AAA', /\d/, 8, 12, /%3AAA[\w-]{30,40}/],
  [
    'fly-token',
    'V1 fm',
    /[Fly]/,
    3,
    3,
    /V1 fm(?:2|1[ar])_[A-Za-z0-9+/_-]{60,4000}={0,3}(?:,fm(?:2|1[ar])_[A-Za-z0-9+/_-]{60,4000}={0,3}){0,4}/,
  ],
  ...['development', 'production', 'staging', 'test'].map(
    (stage): TailedFormat => ['unleash-token', `:${stage}.`, /[\w*-]/, 1, 40, /:[a-z]+\.[a-f0-9]{40,64}(?![\w-])/],
  ),
  ['firebase-key', ':APA91b', /[\w-]/, 7, 64, /:APA91b[\w-]{100,200}/],
  ['mailchimp-key', '-us', /[a-f0-9]/, 32, 32, /-us\d{1,2}(?![A-Za-z0-9])/],
  ['terraform-token', '.atlasv1.', /[A-Za-z0-9]/, 10, 20, /\.atlasv1\.[\w=-]{40,90}/],
  ['azure-client-secret', 'Q~', /[\w~.-]/, 4, 4, /(?<=\d)Q~[\w~.-]{31,40}/],
  ['azure-storage-key', '+ASt', /[A-Za-z0-9/+]/, 60, 100, /\+ASt[A-Za-z0-9+/]{4,20}={0,2}/],
  ['azure-messaging-key', '+ASb', /[A-Za-z0-9/+]/, 30, 60, /\+ASb[A-Za-z0-9+/]{4,14}={0,2}/],
  ['azure-messaging-key', '+AEh', /[A-Za-z0-9/+]/, 30, 60, /\+AEh[A-Za-z0-9+/]{4,14}={0,2}/],
  ['azure-messaging-key', '+ARm', /[A-Za-z0-9/+]/, 30, 60, /\+ARm[A-Za-z0-9+/]{4,14}={0,2}/],
  ['azure-batch-key', '+ABa', /[A-Za-z0-9/+]/, 60, 100, /\+ABa[A-Za-z0-9+/]{4,20}={0,2}/],
  ['azure-model-key', '+AMC', /[A-Za-z0-9/+]/, 60, 100, /\+AMC[A-Za-z0-9+/]{4,20}={0,2}/],
  ['azure-device-key', 'AIoT', /[A-Za-z0-9/+]/, 30, 60, /AIoT[A-Za-z0-9+/]{4,14}={1,2}/],
  ['azure-cache-key', 'AzCa', /[A-Za-z0-9]/, 30, 60, /AzCa[A-Za-z0-9]{4,14}={0,2}/],
  ['azure-cosmos-key', 'ACDb', /[A-Za-z0-9/+]/, 60, 100, /ACDb[A-Za-z0-9+/]{4,20}={0,2}/],
  ['azure-devops-token', 'AZDO', /[A-Za-z0-9]/, 60, 100, /AZDO[A-Za-z0-9]{4,10}/],
  ['azure-registry-key', '+ACR', /[A-Za-z0-9/+]/, 40, 60, /\+ACR[A-Za-z0-9+/]{4,12}={0,2}/],
  ['azure-function-key', 'AzFu', /[\w-]/, 30, 60, /AzFu[\w-]{4,14}={0,2}/],
  ['azure-search-key', 'AzSe', /[A-Za-z0-9]/, 30, 60, /AzSe[A-Za-z0-9]{4,14}/],
  // 84 characters in one scheme for all of its services.
  ['azure-key', 'JQQJ99', /[A-Za-z0-9]/, 52, 52, /JQQJ99[A-Za-z0-9]{26}(?![A-Za-z0-9])/],
  ['newrelic-key', 'NRAL', /[A-Za-z0-9]/, 30, 40, /(?<=[a-f0-9]{16}[a-fA-F0-9]{4})NRAL(?![A-Za-z0-9])/],
  ['maxmind-key', '_mmk', /\w/, 36, 36, /(?<=[A-Za-z0-9]{6}_[A-Za-z0-9]{29})_mmk(?!\w)/],
  [
    'rapid-key',
    'jsn',
    /[a-z0-9]/,
    36,
    36,
    /(?<=[a-f0-9]{10}msh[a-f0-9]{15}p1[a-f0-9]{6})jsn[a-f0-9]{12}(?![A-Za-z0-9])/,
  ],
  ['webex-token', '_PF84_', /[\w-]/, 64, 64, /_PF84_[a-f0-9-]{36}/],
  ['webex-token', '_P0A1_', /[\w-]/, 64, 64, /_P0A1_[a-f0-9-]{36}/],
  // A mark for each sign behind the run: within a run of any length none ends.
  ...'bcdefghijklmnopqrstuvwxyz0123456789'
    .split('')
    .map(
      (sign): TailedFormat => [
        'twitter-token',
        `AAAAAAAAAA${sign}`,
        /[Aa]/,
        11,
        15,
        /[Aa]{10}(?=[A-Za-z0-9%]{0,100}\d)[A-Za-z0-9%]{38,110}/,
      ],
    ),
  ...'0123456789'.split('').flatMap((digit): TailedFormat[] => [
    [
      'sanctum-token',
      `${digit}|`,
      /\d/,
      1,
      10,
      /\d\|(?=[A-Za-z]{0,39}\d)(?=[a-z0-9]{0,39}[A-Z])[A-Za-z0-9]{40}(?:[a-f0-9]{8})?(?![\w-])/,
    ],
    ['facebook-token', `${digit}|`, /\d/, 14, 16, /\d\|(?=[A-Za-z_-]{0,40}\d)[\w-]{26,40}(?![\w-])/],
  ]),
]

/** Named by their use: the address goes whole, and most hold their vendor's name. */
export const ADDRESSES: readonly SecretAddress[] = [
  ['chat-hook', 'hooks.slack.com/', /(?:services|workflows|triggers)\/([A-Za-z0-9/_+-]{20,255})/],
  ['chat-hook', 'hooks.slack-gov.com/', /(?:services|workflows|triggers)\/([A-Za-z0-9/_+-]{20,255})/],
  ['chat-hook', '/webhooks/', /(\d{10,22}\/[\w-]{20,120})/],
  ['chat-hook', '.office.com/webhook', /(?:b2)?\/([\w@./-]{20,400})/],
  ['chat-hook', 'chat.googleapis.com/v1/spaces/', /([\w/?=&%-]{20,400})/],
  ['telegram-token', 'api.telegram.org/bot', /(\d{6,12}:[\w-]{30,50})/],
  ['telegram-token', 'api.telegram.org/file/bot', /(\d{6,12}:[\w-]{30,50})/],
  ['automation-hook', 'hooks.zapier.com/hooks/catch/', /([\w/-]{8,80})/],
  ['automation-hook', 'hook.integromat.com/', /([a-z0-9]{30,40})/],
  ['automation-hook', '.make.com/', /(?<=\/\/hook\.[a-z]{2}\d\.make\.com\/)([a-z0-9]{30,40})/],
  ['ifttt-key', 'maker.ifttt.com/', /trigger\/[\w-]{1,80}\/(?:json\/)?with\/key\/([\w-]{20,60})/],
  ['ifttt-key', 'maker.ifttt.com/use/', /([\w-]{20,60})/],
  ['chat-hook', '/open-apis/bot/v2/hook/', /([\w-]{20,60})/],
  ['chat-hook', '/cgi-bin/webhook/send?key=', /([\w-]{20,60})/],
  ['chat-hook', '/hooks/', /([a-z0-9]{26}|[A-Za-z0-9]{17,24}\/[A-Za-z0-9]{40,80})(?![\w/-])/],
  ['pagerduty-key', 'events.pagerduty.com/integration/', /([a-f0-9]{32})/],
  ['datadog-key', 'datadoghq.com/v1/input/', /([a-f0-9]{32})/],
  ['log-hook', '.sumologic.com/receiver/v1/http/', /([\w=-]{40,400})/],
  ['loggly-token', 'logs-01.loggly.com/', /(?:inputs|bulk)\/([a-f0-9-]{36})/],
]
