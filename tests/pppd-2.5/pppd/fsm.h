typedef struct fsm fsm;
