/** What may go wrong while a machine joins, and what to do then. */
import { Card } from "../../parts/Card";
import { Coded } from "../../parts/Coded";
import classes from "./Nodes.module.css";

const TROUBLES: readonly [string, string][] = [
  ["It says that the Master does not answer", "The machine must reach this Master at the address in the command, and its hub on the port after it. Look at the firewall and the name."],
  ["It says that the token is not known, used or expired", "Each token works once and for an hour. Make a new one here."],
  ["It says that a node of this name has joined", "Give it another name. If the old machine is dead, a token made with `holdfast master token --name NAME --replace` lets the new one take its place."],
  ["It has joined but stays offline", "Start `holdfast node run` there. Its log says what keeps it from the Master."],
  ["The keys differ", "Then it is not the machine you think. Send it away, and make a new token."],
];

export function Troubles() {
  return (
    <Card title="If something goes wrong">
      <dl className={classes.troubles}>
        {TROUBLES.map(([what, then]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>
              <Coded text={then} />
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
