package worker
import ("time";"fmt";"os";"sort")
type phases struct{ last time.Time }
var total = map[string]time.Duration{}
var casesN int
func newPhases() *phases { return &phases{time.Now()} }
func (p *phases) mark(n string) { now := time.Now(); total[n] += now.Sub(p.last); p.last = now }
func (p *phases) done() { casesN++; if casesN%200==0 { f,_ := os.Create("/tmp/w/phases.txt"); var ks []string; for k := range total { ks=append(ks,k)}; sort.Strings(ks); for _,k := range ks { fmt.Fprintf(f,"%-10s %8.3f ms\n",k,float64(total[k].Microseconds())/1000/float64(casesN)) }; f.Close() } }
