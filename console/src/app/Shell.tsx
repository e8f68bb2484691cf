/** What stands around every screen: where one can go, who one is, whether what is shown is true, and what runs. */
import { ActionIcon, AppShell, Burger, Center, Group, Kbd, NavLink, ScrollArea, Text, Tooltip, UnstyledButton } from "@mantine/core";
import { useMantineColorScheme } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { IconDeviceDesktop, IconKeyboard, IconMoon, IconSearch, IconSun, IconUser } from "@tabler/icons-react";
import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { useHealth } from "../api/queries";
import { useMay } from "../api/rights";
import { ActivityBar } from "./ActivityBar";
import { ConnectionBanner } from "./ConnectionBanner";
import { later, screen } from "./later";
import { Logo } from "./Logo";
import { placesFor } from "./places";
import classes from "./Shell.module.css";

const loadPalette = () => import("./Palette");
const Palette = lazy(() => loadPalette().then((module) => ({ default: module.Palette })));
const Who = screen(() => import("./Who"));
const Shortcuts = lazy(later(() => import("./Shortcuts").then((module) => ({ default: module.Shortcuts }))));

export function Shell({ children }: { children: ReactNode }) {
  const [isOpen, menu] = useDisclosure(false);
  const [isPalette, setPalette] = useState(false);
  const [isSheet, setSheet] = useState(false);
  const [location] = useLocation();
  const may = useMay();
  // Not of the first load, but there before anybody can press its keys.
  useEffect(() => void loadPalette(), []);
  useHotkeys([["mod+K", () => setPalette(true)]], [], true);
  useHotkeys([["shift+?", () => setSheet(true)], ["?", () => setSheet(true)]]);

  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 208, breakpoint: "sm", collapsed: { mobile: !isOpen } }}
      footer={{ height: 36 }}
      className={classes.shell}
    >
      <a className="hf-skip" href="#main">
        Skip to the content
      </a>
      <AppShell.Header className={classes.header}>
        <Group gap="sm" wrap="nowrap">
          <Burger opened={isOpen} onClick={menu.toggle} hiddenFrom="sm" size="sm" aria-label="Menu" />
          <Link href="/" className={classes.home}>
            <Logo />
          </Link>
          <EnvironmentName />
        </Group>
        <Group gap="xs" wrap="nowrap">
          <UnstyledButton className={classes.search} onClick={() => setPalette(true)}>
            <IconSearch size={16} aria-hidden />
            <Text size="sm" className={classes.words}>
              Go to, find, do …
            </Text>
            <Group gap={3} visibleFrom="sm" wrap="nowrap">
              <Kbd size="xs">Ctrl</Kbd>
              <Kbd size="xs">K</Kbd>
            </Group>
          </UnstyledButton>
          <Tooltip label="Keyboard">
            <ActionIcon variant="subtle" color="gray" size="lg" onClick={() => setSheet(true)} aria-label="Keyboard shortcuts" visibleFrom="sm">
              <IconKeyboard size={20} />
            </ActionIcon>
          </Tooltip>
          <Brightness />
          <Suspense fallback={<WhoseWillBe />}>
            <Who />
          </Suspense>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} p="xs" aria-label="Screens">
        <ScrollArea>
          {placesFor(may).map((place) => (
            <NavLink
              key={place.path}
              component={Link}
              href={place.path}
              label={place.title}
              leftSection={<place.icon size={19} stroke={1.7} aria-hidden />}
              active={place.path === "/" ? location === "/" : location === place.path || location.startsWith(`${place.path}/`)}
              onClick={menu.close}
              className={classes.link}
            />
          ))}
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main className={classes.main} id="main" tabIndex={-1}>
        <ConnectionBanner />
        <div className={classes.content}>{children}</div>
      </AppShell.Main>
      <AppShell.Footer className={classes.footer}>
        <ActivityBar />
      </AppShell.Footer>
      <Suspense fallback={null}>
        {isPalette && <Palette onClose={() => setPalette(false)} />}
        {isSheet && <Shortcuts onClose={() => setSheet(false)} />}
      </Suspense>
    </AppShell>
  );
}

function EnvironmentName() {
  const health = useHealth();
  if (!health.data) return null;
  return (
    <Text size="sm" c="dimmed" className={classes.environment} title={`Environment ${health.data.environment}`} visibleFrom="sm">
      {health.data.environment}
    </Text>
  );
}

const NEXT = { auto: "light", light: "dark", dark: "auto" } as const;
const LOOKS = { auto: [IconDeviceDesktop, "as the system"], light: [IconSun, "light"], dark: [IconMoon, "dark"] } as const;

function Brightness() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [Icon, word] = LOOKS[colorScheme];
  return (
    <Tooltip label={`Colours: ${word}`}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={`Colours: ${word}. Change`}
        onClick={() => setColorScheme(NEXT[colorScheme])}
      >
        <Icon size={20} />
      </ActionIcon>
    </Tooltip>
  );
}

/** Until the menu is there: in its place, so that nothing moves. */
function WhoseWillBe() {
  return (
    <Center w={34} h={34}>
      <IconUser size={20} aria-hidden />
    </Center>
  );
}
