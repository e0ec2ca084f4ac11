/* Ways out by network, and socket families that have often been broken. Nothing is sent but an opening or one datagram. */
#include "probe.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_alg.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PATIENCE_MS 300

/*
 * Whether the packet left the container: when no route and no interface would take it, it did not. Any other answer,
 * silence too, says that it went out.
 */
static _Noreturn void judge_connect(const struct sockaddr *address, socklen_t length) {
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) blocked("%s", strerrorname_np(errno));
  if (connect(fd, address, length) == 0) escaped("connected");
  if (errno != EINPROGRESS) blocked("%s", strerrorname_np(errno));
  struct pollfd ready = {.fd = fd, .events = POLLOUT};
  if (poll(&ready, 1, PATIENCE_MS) == 0) escaped("a packet went out, and nothing came back");
  int reason = 0;
  socklen_t size = sizeof reason;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size);
  escaped("a packet went out: %s", reason == 0 ? "connected" : strerrorname_np(reason));
}

static _Noreturn void judge_address(const char *text, unsigned short port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  if (inet_pton(AF_INET, text, &address.sin_addr) == 1) judge_connect((struct sockaddr *)&address, sizeof address);
  inet_pton(AF_INET6, text, &address6.sin6_addr);
  judge_connect((struct sockaddr *)&address6, sizeof address6);
}

static _Noreturn void judge_datagram(const char *text, unsigned short port, int broadcast) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, text, &address.sin_addr);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) blocked("%s", strerrorname_np(errno));
  if (broadcast) setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &broadcast, sizeof broadcast);
  /* A query for the name "a.", which is what a program would smuggle data out by. */
  const char query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
  judge(sendto(fd, query, sizeof query - 1, 0, (struct sockaddr *)&address, sizeof address), "a datagram went out");
}

/* The engine's end of the usual bridge. */
static void connect_gateway(void) {
  char line[256], text[INET_ADDRSTRLEN] = "172.17.0.1";
  FILE *routes = fopen("/proc/net/route", "r");
  while (routes && fgets(line, sizeof line, routes)) {
    unsigned int to, gateway;
    if (sscanf(line, "%*s %x %x", &to, &gateway) != 2 || to != 0) continue;
    inet_ntop(AF_INET, &gateway, text, sizeof text);
  }
  judge_address(text, 2375);
}

static void connect_metadata(void) { judge_address("169.254.169.254", 80); }
/* Addresses of the documentation, so that no real machine is ever asked. */
static void connect_host(void) { judge_address("192.0.2.1", 443); }
static void connect_private(void) { judge_address("10.255.255.254", 22); }
static void connect_ipv6(void) { judge_address("2001:db8::1", 443); }
static void connect_metadata_ipv6(void) { judge_address("fd00:ec2::254", 80); }
static void ask_dns(void) { judge_datagram("198.51.100.53", 53, 0); }
static void broadcast(void) { judge_datagram("255.255.255.255", 67, 1); }

static void multicast(void) { judge_datagram("239.255.255.250", 1900, 0); }

static void interfaces(void) {
  struct ifaddrs *all;
  if (getifaddrs(&all) != 0) blocked("getifaddrs: %s", strerrorname_np(errno));
  for (struct ifaddrs *one = all; one; one = one->ifa_next)
    if (strcmp(one->ifa_name, "lo") != 0 && (one->ifa_flags & IFF_UP)) escaped("%s is up", one->ifa_name);
  blocked("there is only lo");
}

static void change_interface(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0) blocked("%s", strerrorname_np(errno));
  judge(ioctl(fd, SIOCSIFFLAGS, &request), "an interface was changed, to what it was");
}

/* Makes a table of the packet filter; nf_tables is where most recent ways to root began. */
static void packet_filter(void) {
  struct {
    struct nlmsghdr begin;
    struct nfgenmsg begin_family;
    struct nlmsghdr table;
    struct nfgenmsg family;
    struct nlattr name;
    char text[8];
    struct nlmsghdr end;
    struct nfgenmsg end_family;
  } batch = {
      .begin = {sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg), NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, 1, 0},
      .begin_family = {AF_UNSPEC, 0, htons(NFNL_SUBSYS_NFTABLES)},
      .table = {sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg) + sizeof(struct nlattr) + 8,
                (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWTABLE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, 2, 0},
      .family = {AF_INET, NFNETLINK_V0, 0},
      .name = {sizeof(struct nlattr) + 8, NFTA_TABLE_NAME},
      .text = "probe",
      .end = {sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg), NFNL_MSG_BATCH_END, NLM_F_REQUEST, 3, 0},
      .end_family = {AF_UNSPEC, 0, htons(NFNL_SUBSYS_NFTABLES)},
  };
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0 || send(fd, &batch, sizeof batch, 0) < 0) blocked("%s", strerrorname_np(errno));
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  struct {
    struct nlmsghdr head;
    struct nlmsgerr error;
    char rest[512];
  } answer;
  if (poll(&ready, 1, PATIENCE_MS) != 1 || recv(fd, &answer, sizeof answer, 0) < 0) blocked("no answer");
  errno = -answer.error.error;
  judge(answer.head.nlmsg_type == NLMSG_ERROR && answer.error.error == 0 ? 0 : -1, "a table of the packet filter was made");
}

static void raw_socket(void) { judge(socket(AF_INET, SOCK_RAW, 1 /* ICMP */), "a raw socket was opened"); }
static void packet_socket(void) { judge(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), "a packet socket was opened"); }
static void crypto_socket(void) { judge(socket(AF_ALG, SOCK_SEQPACKET, 0), "a socket of the kernel's ciphers was opened"); }

static void host_socket(void) {
  struct sockaddr_vm host = {.svm_family = AF_VSOCK, .svm_port = 1024, .svm_cid = VMADDR_CID_HOST};
  int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) blocked("%s", strerrorname_np(errno));
  connect(fd, (struct sockaddr *)&host, sizeof host);
  escaped("a socket to the hypervisor was opened");
}

static void rare_sockets(void) {
  const int usual[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK};
  const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
  for (int family = 2; family < 46; family++) {
    int rare = 1;
    for (size_t index = 0; index < sizeof usual / sizeof *usual; index++) rare &= family != usual[index];
    for (size_t index = 0; rare && index < sizeof types / sizeof *types; index++)
      if (socket(family, types[index], 0) >= 0) escaped("a socket of family %d was opened", family);
  }
  blocked("%s", strerrorname_np(errno));
}

/* Abstract sockets have no file: only a network namespace keeps them apart (an older containerd was lost so). */
static void abstract_sockets(void) {
  char line[512];
  FILE *sockets = fopen("/proc/net/unix", "r");
  int lines = 0;
  while (sockets && fgets(line, sizeof line, sockets)) lines += strchr(line, '@') != NULL;
  if (lines > 0) escaped("%d sockets of other programs are seen", lines);
  blocked("none of another program is seen");
}

const struct probe NETWORK_PROBES[] = {
    {"connect-gateway", "Connect to the host, by the gateway or the usual bridge", connect_gateway},
    {"connect-metadata", "Connect to the metadata service of a cloud", connect_metadata},
    {"connect-metadata-ipv6", "Connect to the metadata service over IPv6", connect_metadata_ipv6},
    {"connect-host", "Connect to a host of the internet", connect_host},
    {"connect-private", "Connect to a host of a private network", connect_private},
    {"connect-ipv6", "Connect to a host over IPv6", connect_ipv6},
    {"ask-dns", "Send a DNS query to a server outside", ask_dns},
    {"broadcast", "Send a broadcast to the local network", broadcast},
    {"multicast", "Send a multicast to the local network", multicast},
    {"interfaces", "Find a network interface besides loopback", interfaces},
    {"change-interface", "Change a network interface", change_interface},
    {"packet-filter", "Make a table of the packet filter by netlink (nf_tables)", packet_filter},
    {"raw-socket", "Open a raw socket", raw_socket},
    {"af-packet", "Open a packet socket (AF_PACKET)", packet_socket},
    {"af-alg", "Open a socket of the kernel's ciphers (AF_ALG)", crypto_socket},
    {"af-vsock", "Open a socket to the hypervisor (AF_VSOCK)", host_socket},
    {"rare-sockets", "Open a socket of any of the rare families", rare_sockets},
    {"abstract-sockets", "Find abstract sockets of other programs", abstract_sockets},
    {NULL, NULL, NULL},
};
