/** The console: who is signed in, what the Master tells, which screen the address names. */
import { Center } from "@mantine/core";
import { Suspense, useEffect } from "react";
import { Route, Switch, useLocation } from "wouter";
import { whenSignedOut } from "../api/client";
import { keys, queryClient, useSession } from "../api/queries";
import { noticeRevision, openDraft } from "../draft/draft";
import { refreshAfter, refreshAll } from "../live/refresh";
import { getLive, useLive } from "../live/store";
import { followEvents } from "../live/stream";
import { Notices } from "../parts/notices";
import { Problem } from "../parts/Problem";
import { Loading } from "../parts/Loading";
import { loadRest, screen } from "./later";
import { Mishap } from "./Mishap";
import { NotHere } from "./NotHere";
import { Shell } from "./Shell";

const Home = screen(() => import("../screens/home/Home"));
const Flows = screen(() => import("../screens/flows/Flows"));
const FlowScreen = screen(() => import("../screens/flow/FlowScreen"));
const Policies = screen(() => import("../screens/policies/Policies"));
const PolicyScreen = screen(() => import("../screens/policies/PolicyScreen"));
const Schedules = screen(() => import("../screens/schedules/Schedules"));
const ScheduleScreen = screen(() => import("../screens/schedules/ScheduleScreen"));
const Nodes = screen(() => import("../screens/nodes/Nodes"));
const AddNode = screen(() => import("../screens/nodes/AddNode"));
const NodeScreen = screen(() => import("../screens/nodes/NodeScreen"));
const Repositories = screen(() => import("../screens/repositories/Repositories"));
const RepositoryScreen = screen(() => import("../screens/repositories/RepositoryScreen"));
const Restore = screen(() => import("../screens/restore/Restore"));
const Archive = screen(() => import("../screens/archive/Archive"));
const Jobs = screen(() => import("../screens/jobs/Jobs"));
const JobScreen = screen(() => import("../screens/jobs/JobScreen"));
const Log = screen(() => import("../screens/log/Log"));
const Notifications = screen(() => import("../screens/notifications/Notifications"));
const Reports = screen(() => import("../screens/reports/Reports"));
const Audit = screen(() => import("../screens/audit/Audit"));
const Settings = screen(() => import("../screens/settings/Settings"));
const CommandLine = screen(() => import("../screens/login/CommandLine"));
const DocumentScreen = screen(() => import("../screens/document/DocumentScreen"));
const SignIn = screen(() => import("./SignIn"));

// What opens first, most often, comes while it is asked who one is, not behind that.
const first = window.location.pathname === "/" ? Home : window.location.pathname.startsWith("/flows/") ? FlowScreen : null;
void first?.load().catch(() => undefined);

export function App() {
  const session = useSession();
  const hasEnded = useLive((live) => live.connection === "ended");
  useEffect(() => whenSignedOut(() => void queryClient.invalidateQueries({ queryKey: keys.session })), []);
  const again = () => {
    void queryClient.invalidateQueries();
  };
  if (session.isPending) return <Loading height="60vh" />;
  if (session.data === null)
    return (
      <Mishap at="sign-in">
        <Suspense fallback={<Loading height="60vh" />}>
          <SignIn ended={hasEnded} onDone={again} />
        </Suspense>
      </Mishap>
    );
  if (session.error)
    return (
      <Center mih="100%" p="xl">
        <Problem error={session.error} onRetry={again} />
      </Center>
    );
  return <SignedIn />;
}

function SignedIn() {
  const [location] = useLocation();
  useEffect(loadRest, []);
  useEffect(() => {
    void openDraft();
    return followEvents({
      onDelta: (delta) => {
        refreshAfter(delta);
        if (delta.kind === "environment") noticeRevision(delta.environment);
      },
      onSnapshot: () => {
        refreshAll();
        const { environment } = getLive();
        if (environment) noticeRevision(environment);
      },
      onEnd: () => void queryClient.invalidateQueries({ queryKey: keys.session }),
    });
  }, []);
  return (
    <Mishap at={location}>
      <Shell>
        <Mishap at={location}>
          <Suspense fallback={<Loading height="60vh" />}>
            <Switch>
              <Route path="/" component={Home} />
              <Route path="/flows" component={Flows} />
              <Route path="/flows/:name/:view?">{({ name, view }) => <FlowScreen name={decoded(name)} view={view ?? "draw"} />}</Route>
              <Route path="/policies" component={Policies} />
              <Route path="/policies/:name">{({ name }) => <PolicyScreen name={decoded(name)} />}</Route>
              <Route path="/schedules" component={Schedules} />
              <Route path="/schedules/:name">{({ name }) => <ScheduleScreen name={decoded(name)} />}</Route>
              <Route path="/nodes" component={Nodes} />
              <Route path="/nodes/-/add" component={AddNode} />
              <Route path="/nodes/:name">{({ name }) => <NodeScreen name={decoded(name)} />}</Route>
              <Route path="/repositories" component={Repositories} />
              <Route path="/repositories/:name">{({ name }) => <RepositoryScreen name={decoded(name)} />}</Route>
              <Route path="/restore" component={Restore} />
              <Route path="/archive" component={Archive} />
              <Route path="/jobs" component={Jobs} />
              <Route path="/jobs/:id">{({ id }) => <JobScreen id={decoded(id)} />}</Route>
              <Route path="/log" component={Log} />
              <Route path="/notifications" component={Notifications} />
              <Route path="/reports" component={Reports} />
              <Route path="/audit" component={Audit} />
              <Route path="/settings/:tab?">{({ tab }) => <Settings tab={tab ?? ""} />}</Route>
              <Route path="/command-line/:code">{({ code }) => <CommandLine code={decoded(code)} />}</Route>
              <Route path="/document" component={DocumentScreen} />
              <Route component={NotHere} />
            </Switch>
          </Suspense>
        </Mishap>
        <Notices />
      </Shell>
    </Mishap>
  );
}

/** The router leaves `%2F` as it is in some cases; a broken escape is taken as it stands. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
