// Runs the HorizontalController of Kubernetes on cases from stdin: one JSON value per line, one answer per step.
//
// {"start": ...} begins with a new controller, {"step": ...} gives it pods and metrics and lets one interval pass. Nothing of
// the controller is replaced: it runs by its exported constructor, in a bubble of testing/synctest, whose clock stands still
// while a case is read. Only its doors are fakes: the scale subresource, the listers and the metrics.
//
// It is a test, because testing/synctest needs one. `.ci/autoscaler` builds it, tests/support/horizontal/__init__.py runs it.
package horizontal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	autoscalinglisters "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	defaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

// Line is one line of stdin: exactly one of its fields is given.
type Line struct {
	Start *Start
	Step  *Step
}

// Start begins a case. Durations are in seconds.
type Start struct {
	Min, Max                                                  int32
	Replicas                                                  int32
	Interval, Downscale, CPUInitialization, InitialReadiness float64
	Behavior                                                  *autoscaling.HorizontalPodAutoscalerBehavior
	Metrics                                                   []autoscaling.MetricSpec
}

// Step is what the controller sees next. Times are in seconds since the start; values and requests are thousandths.
type Step struct {
	Replicas *int32 // set by someone else
	Status   int32
	Pods     []Pod
	Values   map[string]map[string]Value
	External map[string]int64
}

// Pod is one pod of the target. Ready is null without the condition.
type Pod struct {
	Name         string
	Phase        core.PodPhase
	Ready        *bool
	ReadyChanged float64
	Started      *float64
	Deleting     bool
	Requests     map[core.ResourceName]int64
}

// Value is a metric of a pod.
type Value struct {
	Value      int64
	At, Window float64
}

// Answer is the number of replicas after a step, and the reason of the condition ScalingActive.
type Answer struct {
	Replicas int32  `json:"replicas"`
	Reason   string `json:"reason"`
}

func TestMain(m *testing.M) {
	flag.Parse()
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	utilruntime.ErrorHandlers = nil // one of them sleeps until the last error, by another clock, is a millisecond old
	os.Exit(m.Run())
}

func TestServe(t *testing.T) {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	line := read(t, lines)
	for line != nil {
		synctest.Test(t, func(t *testing.T) { line = serve(t, lines, line.Start) })
	}
}

func read(t *testing.T, lines *bufio.Reader) *Line {
	text, err := lines.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return nil
	}
	var line Line
	if err == nil {
		err = json.Unmarshal(text, &line)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &line
}

// serve runs one case, and returns the line after it.
func serve(t *testing.T, lines *bufio.Reader, start *Start) *Line {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	interval := seconds(start.Interval)
	world := &world{begin: time.Now(), hpa: newHPA(start), replicas: start.Replicas}
	controller := podautoscaler.NewHorizontalController(
		ctx, world, world, world, mapper(), world, hpas{world}, pods{world}, interval,
		seconds(start.Downscale), 0.1, seconds(start.CPUInitialization), seconds(start.InitialReadiness))
	world.handler.OnAdd(world.hpa, true)
	go controller.Run(ctx, 1)
	for {
		line := read(t, lines)
		if line == nil || line.Start != nil {
			return line
		}
		world.take(line.Step)
		time.Sleep(interval)
		synctest.Wait()
		text, _ := json.Marshal(Answer{world.replicas, world.reason})
		if _, err := os.Stdout.Write(append(text, '\n')); err != nil {
			t.Fatal(err)
		}
	}
}

func seconds(value float64) time.Duration { return time.Duration(value * float64(time.Second)) }

func newHPA(start *Start) *autoscaling.HorizontalPodAutoscaler {
	hpa := &autoscaling.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "m", Namespace: "n"},
		Spec: autoscaling.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscaling.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "m"},
			MinReplicas:    &start.Min,
			MaxReplicas:    start.Max,
			Metrics:        start.Metrics,
			Behavior:       start.Behavior,
		},
	}
	defaults.SetDefaults_HorizontalPodAutoscaler(hpa)
	return hpa
}

func mapper() meta.RESTMapper {
	group := schema.GroupVersion{Group: "apps", Version: "v1"}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{group})
	mapper.Add(group.WithKind("Deployment"), meta.RESTScopeNamespace)
	return mapper
}

// world is everything around the controller.
type world struct {
	begin    time.Time
	hpa      *autoscaling.HorizontalPodAutoscaler
	handler  cache.ResourceEventHandler
	replicas int32
	reason   string
	step     Step
	pods     []*core.Pod
}

func (w *world) at(value float64) metav1.Time { return metav1.NewTime(w.begin.Add(seconds(value))) }

func (w *world) take(step *Step) {
	w.step, w.pods = *step, nil
	if step.Replicas != nil {
		w.replicas = *step.Replicas
	}
	for _, one := range step.Pods {
		requests := core.ResourceList{}
		for name, value := range one.Requests {
			requests[name] = *resource.NewMilliQuantity(value, resource.DecimalSI)
		}
		pod := &core.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: one.Name, Namespace: "n", Labels: map[string]string{"app": "m"}},
			Spec:       core.PodSpec{Containers: []core.Container{{Name: "c", Resources: core.ResourceRequirements{Requests: requests}}}},
			Status:     core.PodStatus{Phase: one.Phase},
		}
		if one.Deleting {
			now := metav1.Now()
			pod.DeletionTimestamp = &now
		}
		if one.Started != nil {
			started := w.at(*one.Started)
			pod.Status.StartTime = &started
		}
		if one.Ready != nil {
			status := core.ConditionFalse
			if *one.Ready {
				status = core.ConditionTrue
			}
			pod.Status.Conditions = []core.PodCondition{
				{Type: core.PodReady, Status: status, LastTransitionTime: w.at(one.ReadyChanged)},
			}
		}
		w.pods = append(w.pods, pod)
	}
}

// The scale subresource.

func (w *world) Scales(string) scale.ScaleInterface { return scales{world: w} }

type scales struct {
	scale.ScaleInterface
	*world
}

func (s scales) Get(context.Context, schema.GroupResource, string, metav1.GetOptions) (*autoscalingv1.Scale, error) {
	return &autoscalingv1.Scale{
		Spec:   autoscalingv1.ScaleSpec{Replicas: s.replicas},
		Status: autoscalingv1.ScaleStatus{Replicas: s.world.step.Status, Selector: "app=m"},
	}, nil
}

func (s scales) Update(_ context.Context, _ schema.GroupResource, wanted *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	s.world.replicas = wanted.Spec.Replicas
	return wanted, nil
}

// The HorizontalPodAutoscaler: its status shows why, and is not read again.

func (w *world) HorizontalPodAutoscalers(string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return statuses{world: w}
}

type statuses struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	*world
}

func (s statuses) UpdateStatus(_ context.Context, hpa *autoscaling.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (*autoscaling.HorizontalPodAutoscaler, error) {
	for _, condition := range hpa.Status.Conditions {
		if condition.Type == autoscaling.ScalingActive {
			s.world.reason = condition.Reason
		}
	}
	return hpa, nil
}

type hpas struct{ *world }

func (h hpas) Informer() cache.SharedIndexInformer { return informer{world: h.world} }

func (h hpas) Lister() autoscalinglisters.HorizontalPodAutoscalerLister { return h }

func (h hpas) List(labels.Selector) ([]*autoscaling.HorizontalPodAutoscaler, error) {
	return []*autoscaling.HorizontalPodAutoscaler{h.hpa}, nil
}

func (h hpas) HorizontalPodAutoscalers(string) autoscalinglisters.HorizontalPodAutoscalerNamespaceLister {
	return oneHPA{world: h.world}
}

type oneHPA struct {
	autoscalinglisters.HorizontalPodAutoscalerNamespaceLister
	*world
}

func (o oneHPA) Get(string) (*autoscaling.HorizontalPodAutoscaler, error) { return o.hpa, nil }

type informer struct {
	cache.SharedIndexInformer
	*world
}

func (i informer) HasSynced() bool { return true }

func (i informer) AddEventHandlerWithResyncPeriod(handler cache.ResourceEventHandler, _ time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	i.world.handler = handler
	return nil, nil
}

// Pods.

type pods struct{ *world }

func (p pods) Informer() cache.SharedIndexInformer { return informer{world: p.world} }

func (p pods) Lister() corelisters.PodLister { return p }

func (p pods) List(labels.Selector) ([]*core.Pod, error) { return p.world.pods, nil }

func (p pods) Pods(string) corelisters.PodNamespaceLister { return podsOf{world: p.world} }

type podsOf struct {
	corelisters.PodNamespaceLister
	*world
}

func (p podsOf) List(labels.Selector) ([]*core.Pod, error) { return p.world.pods, nil }

// Events, which nobody reads.

func (w *world) Events(string) coreclient.EventInterface { return events{} }

type events struct{ coreclient.EventInterface }

func (events) CreateWithEventNamespaceWithContext(_ context.Context, event *core.Event) (*core.Event, error) {
	return event, nil
}

func (events) CreateWithEventNamespace(event *core.Event) (*core.Event, error) { return event, nil }

func (events) UpdateWithEventNamespace(event *core.Event) (*core.Event, error) { return event, nil }

func (events) PatchWithEventNamespace(event *core.Event, _ []byte) (*core.Event, error) {
	return event, nil
}

// Metrics.

var errNoMetrics = errors.New("no metrics")

func (w *world) values(name string) (metrics.PodMetricsInfo, time.Time, error) {
	found, known := w.step.Values[name]
	if !known {
		return nil, time.Time{}, errNoMetrics
	}
	info := metrics.PodMetricsInfo{}
	for pod, one := range found {
		info[pod] = metrics.PodMetric{Timestamp: w.at(one.At).Time, Window: seconds(one.Window), Value: one.Value}
	}
	return info, time.Now(), nil
}

func (w *world) GetResourceMetric(_ context.Context, name core.ResourceName, _ string, _ labels.Selector, _ string) (metrics.PodMetricsInfo, time.Time, error) {
	return w.values(string(name))
}

func (w *world) GetRawMetric(name, _ string, _, _ labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	return w.values(name)
}

func (w *world) GetObjectMetric(string, string, *autoscaling.CrossVersionObjectReference, labels.Selector) (int64, time.Time, error) {
	return 0, time.Time{}, errNoMetrics
}

func (w *world) GetExternalMetric(name, _ string, _ labels.Selector) ([]int64, time.Time, error) {
	value, known := w.step.External[name]
	if !known {
		return nil, time.Time{}, errNoMetrics
	}
	return []int64{value}, time.Now(), nil
}
